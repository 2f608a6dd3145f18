import type { MaskedValue, Party, Steps } from "../../core/index.ts";
import {
  add,
  addConstant,
  concat,
  entriesFrom,
  filled,
  gather,
  narrow,
  neg,
  type RingTensor,
  reduceSum,
  unitVectors,
} from "../../ring/index.ts";
import { maskAndOpen } from "../boundary/index.ts";
import { entryAt, publicConstant, sliceRows as rowsOf } from "../kit/index.ts";
import { gatherMasked } from "./pairwise-comparison.ts";
import { countingUp, lengthOfRow, longestRow, type RowIndices, rowCount, startsOf } from "./row-indices.ts";

/** The integers that the elements of a masked value may be: lo, lo + 1, …, lo + count − 1. */
export interface Buckets {
  readonly lo: number;
  readonly count: number;
}

/** Most buckets: for each score the dealer shares a vector of this many counters. */
export const maxBuckets = 512;

/** Buckets of width 2^by for reals within ±bound at a scale; a coarse masked value may be one too high (`coarse`). */
export function bucketsOf(bound: number, scale: number, by: number): Buckets {
  // A value may be off by a few roundings.
  const most = (bound + roundings * 2 ** -scale) * 2 ** (scale - by);
  const lo = -Math.ceil(most);
  return { lo, count: Math.floor(most) + 1 - lo + 1 };
}
const roundings = 4;

/** Bits that distinguish the counts 0 to `most`. */
const counterBits = (most: number): number => 32 - Math.clz32(most);

/**
 * Largest element of each row of a flat masked value of integers in known buckets, as a masked value [rows] of its own
 * ring (ours: docs/protocols/attention.md).
 *
 * For each element the dealer shares a unit vector, which both parties rotate by the element's opened value: 1 at its
 * bucket. Sums over a group, and from the last bucket down, count the elements in this bucket or above. The counts are
 * opened, and a table of each gives the bit "the count is 0". The number of non-zero counts is the number of buckets at
 * or below the maximum. Groups have `radix` elements; if a row has several groups, their bits form groups again.
 *
 * 2 rounds for rows up to the radix, one more for each level beyond; a row of one element costs nothing.
 */
export function* bucketMax(
  party: Party,
  x: MaskedValue,
  rows: RowIndices,
  { lo, count }: Buckets,
  radix: number,
): Steps<MaskedValue> {
  if (longestRow(rows) === 1) return gatherMasked(x, rowCount(rows), () => rows.positions);
  const bits = counterBits(count - 1);
  const levels = levelsOf(rows, radix);
  const widths = levels.map((groups) => counterBits(longestRow(groups)));

  const own = unitVectors(narrow(x.mask.secret, bits), widths[0]!);
  const turned = addConstant(narrow(x.opened, bits), -lo);
  // The element's own mask hides the index of this lookup.
  const unit = entriesFrom(party.dealt(own), turned, count);
  let counts = suffixSums(groupSums(unit, levels[0]!));
  let occupied: RingTensor | undefined;
  for (const [level, groups] of levels.entries()) {
    if (occupied) counts = groupSums(occupied, groups);
    // A count plus a uniform mask of its ring: safe to open.
    const open = yield* maskAndOpen(party, counts);
    const tables = party.dealt(unitVectors(open.mask.secret, widths[level + 1] ?? x.opened.width));
    // The mask is the opened count exactly if the count is 0.
    const empty = entryAt(entriesFrom(tables, open.opened, 1), 0);
    occupied = add(neg(empty), publicConstant(party, empty, empty.shape, empty.width, 1));
  }
  const above = reduceSum(occupied!, [0], false);
  const largest = add(above, publicConstant(party, above, above.shape, above.width, lo));
  // x + r is uniform as in every opening.
  return yield* maskAndOpen(party, largest);
}

/**
 * The members of each group at each level, a row each: positions in the elements, then in the groups of the level
 * before.
 */
function levelsOf(rows: RowIndices, radix: number): readonly RowIndices[] {
  const levels: RowIndices[] = [];
  let left = rows;
  do {
    const { starts, positions } = left;
    const count = rowCount(left);
    const next = startsOf(count, (row) => Math.ceil(lengthOfRow(left, row) / radix));
    const ends = new Int32Array(next[count]! + 1);
    for (let row = 0, group = 0; row < count; row++) {
      for (let from = starts[row]!; from < starts[row + 1]!; from += radix) {
        ends[++group] = Math.min(from + radix, starts[row + 1]!);
      }
    }
    levels.push({ starts: ends, positions });
    left = { starts: next, positions: countingUp(next[count]!) };
  } while (longestRow(left) > 1);
  return levels;
}

/** Sums [buckets, groups] of [buckets, elements] over the members of each group. */
function groupSums(x: RingTensor, groups: RowIndices): RingTensor {
  const [buckets, elements] = x.shape as [number, number];
  const [longest, count] = [longestRow(groups), rowCount(groups)];
  // A zero element that belongs to no row pads the groups.
  const positions = (): Int32Array => {
    const all = new Int32Array(count * longest).fill(elements);
    for (let group = 0; group < count; group++) {
      all.set(groups.positions.subarray(groups.starts[group]!, groups.starts[group + 1]!), group * longest);
    }
    return all;
  };
  const padded = concat([x, filled(x, [buckets, 1], x.width, 0)], 1);
  return reduceSum(gather(padded, positions, [count, longest], 1), [2], false);
}

/** [count − 1, groups]: the number of elements in bucket 1 or above, 2 or above, … */
function suffixSums(x: RingTensor): RingTensor {
  const count = x.shape[0]!;
  const sums: RingTensor[] = [];
  let sum: RingTensor | undefined;
  for (let bucket = count - 1; bucket > 0; bucket--) {
    const own = rowsOf(x, bucket, bucket + 1);
    sum = sum ? add(sum, own) : own;
    sums.push(sum);
  }
  return concat(sums.reverse(), 0);
}
