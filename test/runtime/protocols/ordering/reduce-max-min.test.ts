import { expect, it } from "vitest";
import { tournamentReduceMax, tournamentReduceMin } from "../../../../runtime/protocols/ordering/reduce-max-min.ts";
import { levelCount } from "../../../../runtime/protocols/ordering/row-max.ts";
import { costOf, execute, fixed, reals } from "../../../harness/execute-protocol.ts";

const specOf = (rows: number, length: number, radix: number, width = 24) => ({
  operands: [fixed([rows, length], 2, -4, 4)],
  result: fixed([rows, 1], 2, -4, 4, width),
  attrs: { axes: [1], keepdims: true, radix },
});

it.each([2, 3, 4])("are exact over 1,000 draws with radix %i, ties among them, and take 3 rounds a level", (radix) => {
  for (let length = 1; length <= 17; length += 2) {
    const x = reals(60 * length, -4, 4, length).map((v) => Math.round(v * 4) / 4 + 0);
    const rows = [...Array(60).keys()].map((row) => [...x.subarray(row * length, (row + 1) * length)]);
    for (const [protocol, f] of [
      [tournamentReduceMax, Math.max],
      [tournamentReduceMin, Math.min],
    ] as const) {
      const outcome = execute(protocol, specOf(60, length, radix), [x], { trial: length });
      expect([...outcome.values]).toEqual(rows.map((row) => f(...row)));
      expect(outcome.metered).toEqual(outcome.counted);
      expect(costOf(protocol, specOf(60, length, radix)).rounds).toBe(3 * levelCount(length, radix));
    }
  }
});

it("trades rounds for dealer bytes", () => {
  const costs = [2, 4].map((radix) => costOf(tournamentReduceMax, specOf(8, 16, radix)));
  expect(costs.map(({ rounds }) => rounds)).toEqual([12, 6]);
  expect(costs[0]!.dealerToServer).toBeLessThan(costs[1]!.dealerToServer);
});
