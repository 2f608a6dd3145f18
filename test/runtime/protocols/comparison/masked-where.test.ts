import { expect, it } from "vitest";
import {
  bitWhere,
  maskedWhere,
  maskedWhereElse,
  maskedWherePublic,
} from "../../../../runtime/protocols/comparison/masked-where.ts";
import { bytes, costOf, execute, fixed, reals } from "../../../harness/execute-protocol.ts";

const specOf = (count: number, width: number) => ({
  operands: [fixed([count], 0, 0, 1), fixed([count], 8, -4, 4), fixed([count], 8, -4, 4)],
  result: fixed([count], 8, -4, 4, width),
  attrs: {},
});

it.each([maskedWhere, maskedWherePublic, maskedWhereElse, bitWhere])("$name is exact over 1,280 draws", (protocol) => {
  for (let trial = 0; trial < 20; trial++) {
    const [x, y] = [reals(64, -4, 4, trial), reals(64, -4, 4, trial + 100)].map((v) =>
      v.map((value) => Math.round(value * 256) / 256),
    ) as [Float64Array, Float64Array];
    const bits = Float64Array.from({ length: 64 }, (_, k) => (k * (trial + 3)) & 1);
    // From rings in which the difference does not fit, which do not mind, to such that it is lifted to.
    const outcome = execute(protocol, specOf(64, [12, 13, 14, 40, 64][trial % 5]!), [bits, x, y], { trial });
    expect([...outcome.values]).toEqual([...bits].map((c, k) => (c === 1 ? x[k] : y[k])));
    expect(outcome.metered).toEqual(outcome.counted);
  }
});

it("opens the condition and the difference in one round; between public values the condition alone", () => {
  // |x − y| ≤ 8 at 8 fractional bits takes 13 bits, its wire 14; MUX deals γ, γr and their wraps, and lifts.
  expect(costOf(maskedWhere, specOf(8, 40))).toEqual({
    rounds: 1,
    clientToServer: bytes(8 * 14) + 1,
    serverToClient: bytes(8 * 14) + 1,
    dealerToServer: 2 * (40 - 14) + 40 + 40 + (40 - 14),
  });
  expect(costOf(maskedWhere, specOf(8, 12)).dealerToServer).toBe(2 * 12);
  expect(costOf(bitWhere, specOf(8, 40))).toEqual({
    rounds: 1,
    clientToServer: 1,
    serverToClient: 1,
    dealerToServer: 40,
  });
});
