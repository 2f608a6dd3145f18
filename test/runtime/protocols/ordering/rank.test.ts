import { expect, it } from "vitest";
import { digitBits, digitComparisonBits } from "../../../../runtime/protocols/comparison/comparison-digits.ts";
import { pairwiseRank } from "../../../../runtime/protocols/ordering/rank.ts";
import { bytes, costOf, execute, fixed, reals, resolveWidths } from "../../../harness/execute-protocol.ts";

const specOf = (rows: number, length: number, width: number, largest = true) => ({
  operands: [fixed([rows, length], 2, -1, 1)],
  result: fixed([rows, length], 0, 0, length - 1, width),
  attrs: { axis: 1, largest },
});

const ahead = (row: readonly number[], i: number, sign: number): number =>
  row.filter((y, j) => sign * y > sign * row[i]! || (y === row[i] && j < i)).length;

it.each([true, false])("counts who is ahead (largest: %s), over 2,000 draws full of ties", (largest) => {
  for (let length = 1; length <= 19; length += 2) {
    // Nine values: rows of more have equal ones.
    const x = reals(20 * length, -1, 1, length).map((v) => Math.round(v * 4) / 4);
    const rows = [...Array(20).keys()].map((row) => [...x.subarray(row * length, (row + 1) * length)]);
    const outcome = execute(pairwiseRank, specOf(20, length, [6, 40, 64][length % 3]!, largest), [x], {
      trial: length,
    });
    expect([...outcome.values]).toEqual(rows.flatMap((row) => row.map((_, i) => ahead(row, i, largest ? 1 : -1))));
    expect(outcome.metered).toEqual(outcome.counted);
  }
});

it("takes a comparison, an opened bit and a bit as a number for each pair", () => {
  const spec = specOf(8, 7, 3);
  const pairs = 8 * 21;
  const n = resolveWidths(pairwiseRank, spec).operands[0]!.width - 1;
  const digits = Math.ceil(n / digitBits(n));
  const online = bytes(pairs * (2 * digits - 1)) + bytes(pairs);
  expect(costOf(pairwiseRank, spec)).toEqual({
    rounds: 2,
    clientToServer: online,
    serverToClient: online,
    // The top bit of the mask, the tables, and the opened bit's mask as a number of 3 bits.
    dealerToServer: bytes(pairs * (1 + digitComparisonBits(n, digitBits(n)) + 3)),
  });
});

it("refuses rows of which too many pairs would be compared", () => {
  expect(() => resolveWidths(pairwiseRank, specOf(1, 257, 9))).toThrow(/257 elements, at most 256/);
});
