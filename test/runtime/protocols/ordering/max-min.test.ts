import { expect, it } from "vitest";
import { digitBits, digitComparisonBits } from "../../../../runtime/protocols/comparison/comparison-digits.ts";
import {
  maskedMaximum,
  maskedMinimum,
  thresholdMaximum,
  thresholdMinimum,
} from "../../../../runtime/protocols/ordering/max-min.ts";
import { bytes, costOf, execute, fixed, resolveWidths } from "../../../harness/execute-protocol.ts";

const specOf = (count: number, bound: number, width: number) => ({
  operands: [fixed([count], 0, -bound, bound), fixed([count], 0, -bound, bound)],
  result: fixed([count], 0, -bound, bound, width),
  attrs: {},
});

it.each([
  [maskedMaximum, Math.max],
  [thresholdMaximum, Math.max],
  [maskedMinimum, Math.min],
  [thresholdMinimum, Math.min],
] as const)("$name is exact for every pair of small integers, over 1,000 draws", (protocol, f) => {
  const values = [...Array(9).keys()].map((v) => v - 4);
  const x = Float64Array.from(values.flatMap((v) => values.map(() => v)));
  const y = Float64Array.from(values.flatMap(() => values));
  for (let trial = 0; trial < 15; trial++) {
    const outcome = execute(protocol, specOf(81, [4, 100, 2 ** 20][trial % 3]!, [22, 33, 64][trial % 3]!), [x, y], {
      trial,
    });
    expect([...outcome.values]).toEqual([...x].map((v, k) => f(v, y[k]!)));
    expect(outcome.metered).toEqual(outcome.counted);
  }
});

it("costs one opening of the difference, CMP_MDC, one bit and MUX (protocols.md 8)", () => {
  // |x − y| ≤ 2^18 takes 20 bits, its wire 21.
  const digits = Math.ceil(20 / digitBits(20));
  const online = bytes(8 * 21) + 2 * digits - 1 + 1;
  expect(costOf(maskedMaximum, specOf(8, 2 ** 17, 40))).toEqual({
    rounds: 3,
    clientToServer: online,
    serverToClient: online,
    dealerToServer: digitComparisonBits(20, digitBits(20)) + 1 + 2 * 19 + 40 + 40 + 19,
  });
});

it("refuses a difference that comparisons do not take", () => {
  expect(() => resolveWidths(maskedMaximum, specOf(1, 2 ** 40, 60))).toThrow(/comparisons take at most/);
});
