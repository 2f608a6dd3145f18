import { expect, test } from "vitest";
import type { Party, Share } from "../../../../runtime/core/party.ts";
import { maskAndOpen } from "../../../../runtime/protocols/boundary/open.ts";
import { seededShare } from "../../../../runtime/protocols/boundary/seeded-share.ts";
import { bucketMax, bucketsOf } from "../../../../runtime/protocols/ordering/bucket-max.ts";
import { rowIndices } from "../../../../runtime/protocols/ordering/row-indices.ts";
import { intTensor } from "../../../../runtime/ring/tensor.ts";
import { runParties } from "../../../harness/run-parties.ts";

const width = 12;
const residue = (x: number): number => x & (2 ** width - 1);

/** The maxima of rows of whole numbers in [lo, hi], once the result's mask is taken off. */
function maxima(
  values: readonly number[],
  rows: readonly (readonly number[])[],
  [lo, hi]: readonly [number, number],
  radix: number,
  trial: number,
) {
  const spec = { shape: [values.length], width, scale: 0, lo, hi };
  const { client, server, metered, counted } = runParties(function* (party: Party) {
    const given = intTensor([values.length], party.role === "client" ? Float64Array.from(values) : undefined);
    const input = { operands: [spec], result: spec, attrs: {} };
    const share = (yield* seededShare.run(party.at("in"), input, given)) as Share;
    const masked = yield* maskAndOpen(party.at("open"), share.tensor);
    return yield* bucketMax(party.at("max"), masked, rowIndices(rows), { lo, count: hi - lo + 1 }, radix);
  }, trial);
  expect(metered).toEqual(counted);
  const found = [...client.opened.data!].map((x, row) =>
    residue(x - client.mask.share!.data![row]! - server.mask.share!.data![row]!),
  );
  return { found, rounds: metered.rounds - 1 };
}

const values = [3, -5, 3, 60, 59, -64, 7, 0, 0, 12, 12];

test.each([2, 3, 4, 7, 15, 63])("every length from 1 to eleven in groups of %i", (radix) => {
  for (let length = 1; length <= values.length; length++) {
    for (let trial = 1; trial <= 3; trial++) {
      const rotated = values.map((_, at) => values[(at + trial) % values.length]!);
      const rows = [[...Array(length).keys()], [length - 1], [0, length - 1]];
      const { found, rounds } = maxima(rotated, rows, [-64, 64], radix, trial);
      const wanted = rows.map((row) => residue(Math.max(...row.map((at) => rotated[at]!))));
      expect(found).toEqual(wanted);
      expect(rounds).toBe(Math.ceil(Math.log(Math.max(2, length)) / Math.log(radix) - 1e-9) + 1);
    }
  }
});

test("finds the ends of any range, in bucket counts that are no power of two", () => {
  for (const range of [
    [-3, 4],
    [0, 1],
    [-127, 127],
    [5, 17],
  ] as const) {
    const [lo, hi] = range;
    for (const row of [
      [lo, lo, lo],
      [lo, hi, lo],
      [hi, hi, hi],
      [hi, lo, lo + Math.floor((hi - lo) / 2)],
    ]) {
      expect(maxima(row, [[0, 1, 2]], range, 7, 3).found).toEqual([residue(Math.max(...row))]);
    }
  }
});

test("rows of one cost nothing, and counts that fill their ring are told from none", () => {
  expect(maxima([4, -2], [[0], [1]], [-4, 4], 3, 1)).toEqual({ found: [4, residue(-2)], rounds: 0 });
  const three = maxima([2, 2, 2, 2, 2, 2, 2], [[0, 1, 2, 3, 4, 5, 6]], [-4, 4], 7, 2);
  expect(three).toEqual({ found: [2], rounds: 2 });
});

test("buckets hold every value within the bound, and one unit more", () => {
  // 12 fractional bits in units of 2^11: half units.
  expect(bucketsOf(63.39, 12, 11)).toEqual({ lo: -127, count: 255 });
  for (const bound of [0.25, 0.5, 1, 7.9, 64]) {
    const { lo, count } = bucketsOf(bound, 12, 11);
    expect(lo).toBeLessThanOrEqual(Math.floor(-bound * 2));
    expect(lo + count - 1).toBeGreaterThanOrEqual(Math.floor(bound * 2) + 1);
  }
});
