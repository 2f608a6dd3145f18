import { expect, it } from "vitest";
import { tableSelectByRank } from "../../../../runtime/protocols/ordering/select-by-rank.ts";
import { bytes, costOf, execute, fixed, reals, resolveWidths } from "../../../harness/execute-protocol.ts";

const specOf = (rows: number, length: number, count: number, width: number, entries: boolean) => ({
  operands: [fixed([rows, length], 0, 0, length - 1), ...(entries ? [fixed([rows, length], 8, -4, 4)] : [])],
  result: entries ? fixed([rows, count], 8, -4, 4, width) : fixed([rows, count], 0, 0, length - 1, width),
  attrs: { axis: 1, count },
});

/** A permutation of a row for each row: the order of reals. */
const permutations = (rows: number, length: number, trial: number): Float64Array => {
  const keys = reals(rows * length, -1, 1, trial);
  return keys.map((key, at) => {
    const start = Math.floor(at / length) * length;
    const row = keys.subarray(start, start + length);
    return row.filter((other, j) => other > key || (other === key && start + j < at)).length;
  });
};

it.each([
  true,
  false,
])("puts entries (%s), or their places, in order, over 1,000 rows; counted = metered", (entries) => {
  for (let length = 1; length <= 20; length++) {
    const count = 1 + (length % 5 >= length ? 0 : length % 5);
    const ranks = permutations(50, length, length);
    const x = reals(50 * length, -4, 4, length + 100).map((v) => Math.round(v * 256) / 256);
    const spec = specOf(50, length, count, [12, 13, 14, 16, 40, 64][length % 6]!, entries);
    const outcome = execute(tableSelectByRank, spec, [ranks, ...(entries ? [x] : [])], { trial: length });
    const wanted = [...Array(50 * count).keys()].map((at) => {
      const [row, p] = [Math.floor(at / count), at % count];
      const index = [...Array(length).keys()].find((i) => ranks[row * length + i] === p)!;
      return entries ? x[row * length + index] : index;
    });
    expect([...outcome.values]).toEqual(wanted);
    expect(outcome.metered).toEqual(outcome.counted);
  }
});

it("is free online, and takes two vectors of 2^⌈log₂ L⌉ for each element, three in a wider ring", () => {
  const spec = specOf(3, 11, 2, 40, true);
  const n = resolveWidths(tableSelectByRank, spec).operands[1]!.width;
  const vector = (width: number) => bytes(3 * 11 * 16 * width);
  const none = { rounds: 0, clientToServer: 0, serverToClient: 0 };
  expect(costOf(tableSelectByRank, spec)).toEqual({ ...none, dealerToServer: 2 * vector(40) + vector(40 - n) });
  expect(costOf(tableSelectByRank, specOf(3, 11, 2, n, true))).toEqual({ ...none, dealerToServer: 2 * vector(n) });
  expect(costOf(tableSelectByRank, specOf(3, 11, 2, 4, false))).toEqual({ ...none, dealerToServer: vector(4) });
});
