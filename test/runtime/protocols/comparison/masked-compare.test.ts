import { expect, it } from "vitest";
import {
  digitBits,
  digitComparisonBits,
  thresholdBits,
} from "../../../../runtime/protocols/comparison/comparison-digits.ts";
import { zeroDigit, zeroTestBits } from "../../../../runtime/protocols/comparison/equality.ts";
import { maskedCompare, thresholdCompare } from "../../../../runtime/protocols/comparison/masked-compare.ts";
import { costOf, execute, fixed, resolveWidths } from "../../../harness/execute-protocol.ts";

const relations: Readonly<Record<string, (x: number, y: number) => boolean>> = {
  equal: (x, y) => x === y,
  less: (x, y) => x < y,
  "less-or-equal": (x, y) => x <= y,
  greater: (x, y) => x > y,
  "greater-or-equal": (x, y) => x >= y,
};
const specOf = (count: number, kind: string, bound: number) => ({
  operands: [fixed([count], 0, -bound, bound), fixed([count], 0, -bound, bound)],
  result: fixed([count], 0, 0, 1, 1),
  attrs: { kind },
});

for (const protocol of [maskedCompare, thresholdCompare]) {
  it.each(Object.entries(relations))(`${protocol.name}: %s of every pair of small integers`, (kind, holds) => {
    // All pairs from −4 to 4, and from rings whose test for zero has one digit to such with six.
    const values = [...Array(9).keys()].map((v) => v - 4);
    const x = Float64Array.from(values.flatMap((v) => values.map(() => v)));
    const y = Float64Array.from(values.flatMap(() => values));
    for (const [trial, bound] of [4, 4, 50, 1000, 2 ** 18, 2 ** 25].entries()) {
      const outcome = execute(protocol, specOf(81, kind, bound), [x, y], { trial });
      expect([...outcome.values]).toEqual([...x].map((v, k) => Number(holds(v, y[k]!))));
      expect(outcome.metered).toEqual(outcome.counted);
    }
  });
}

it("opens the difference and compares it, or tests it for zero: two thirds of the bits of two comparisons", () => {
  // |x − y| ≤ 2^18 takes 20 bits, its wire 21.
  const bound = 2 ** 17;
  const digits = Math.ceil(20 / digitBits(20));
  expect(costOf(maskedCompare, specOf(8, "less", bound))).toEqual({
    rounds: 2,
    clientToServer: 21 + 2 * digits - 1,
    serverToClient: 21 + 2 * digits - 1,
    dealerToServer: digitComparisonBits(20, digitBits(20)) + 1,
  });
  expect(costOf(maskedCompare, specOf(8, "equal", bound))).toEqual({
    rounds: 2,
    clientToServer: 21 + Math.ceil(20 / zeroDigit(20)),
    serverToClient: 21 + Math.ceil(20 / zeroDigit(20)),
    dealerToServer: zeroTestBits(20),
  });
  const two = digitComparisonBits(20, digitBits(20)) + thresholdBits(20, digitBits(20));
  expect(zeroTestBits(20) / two).toBeLessThan(0.7);
  expect(costOf(thresholdCompare, specOf(8, "less", bound)).rounds).toBe(1);
});

it("refuses what its tables do not take", () => {
  expect(() => resolveWidths(maskedCompare, specOf(1, "less", 2 ** 40))).toThrow(/comparisons take at most/);
  expect(() => resolveWidths(maskedCompare, specOf(1, "equal", 2 ** 40))).toThrow(/tests for zero take at most/);
});
