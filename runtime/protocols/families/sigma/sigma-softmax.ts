import type { Party, Wire } from "../../../core/index.ts";
import { parallel, type Steps } from "../../../core/index.ts";
import {
  add,
  addConstant,
  floorLog2,
  gatherFlat,
  type IntTensor,
  integers,
  mulConstant,
  narrow,
  powerOfTwo,
  type RingTensor,
  reduceSum,
  sub,
} from "../../../ring/index.ts";
import { openWire } from "../../boundary/index.ts";
import { below } from "../../comparison/index.ts";
import { at, bitToRing, difference, joinWires, lift, mapWire, narrowed, publicShare, select } from "../../kit/index.ts";
import type { Rows } from "../../ordering/index.ts";
import { type ScoreRows, spreadRows } from "../../softmax/index.ts";
import { byPoint, lookUp, scaledProduct, truncateReduce, truncateWithSlack } from "./sigma.ts";

/** Bits of the clipped argument of the exponential, and of each of the two indices that it is looked up by. */
const clippedBits = 16;
const indexBits = 8;
/** Fractional bits of the sums whose inverse is looked up. */
const sumBits = 6;

/** Table of 2^bits entries: f of the index over 2^scale, at `to` fractional bits. */
const tableOf = (bits: number, f: (index: number) => number, to: number): IntTensor =>
  integers(
    [2 ** bits],
    Float64Array.from({ length: 2 ** bits }, (_, index) => Math.round(f(index) * 2 ** to)),
  );

/** Where a row's elements are taken from its parent list. */
const take = (x: Wire, positions: Int32Array): Wire => mapWire(x, (t) => gatherFlat(t, positions, [positions.length]));

/** One level of a tree of maxima: the places in all that there was before, by pairs, and how many the level adds. */
interface Level {
  readonly first: Int32Array;
  readonly second: Int32Array;
}
interface Tree {
  readonly levels: readonly Level[];
  /** Where each row's largest element is in the end. */
  readonly tops: Int32Array;
}

const trees = new WeakMap<Rows, Tree>();

/** Pairs of neighbours, level by level; an odd one waits. Worked out once for each layout of rows. */
function treeOf(rows: Rows, size: number): Tree {
  const known = trees.get(rows);
  if (known) return known;
  const levels: Level[] = [];
  let next = size;
  let left: Rows = rows;
  while (left.some((row) => row.length > 1)) {
    const pairs = (side: 0 | 1): Int32Array =>
      Int32Array.from(
        left.flatMap((row) => row.filter((_, k) => k % 2 === side && (side === 1 || k + 1 < row.length))),
      );
    levels.push({ first: pairs(0), second: pairs(1) });
    left = left.map((row) => row.flatMap((p, k) => (k % 2 === 1 ? [] : k + 1 < row.length ? [next++] : [p])));
  }
  const tree = { levels, tops: Int32Array.from(left, ([only]) => only!) };
  trees.set(rows, tree);
  return tree;
}

/**
 * Largest element of each row of a flat wire by a binary tree: differences of opened values are free, each comparison
 * opens a bit and the larger value in the wire's own ring. 2 rounds a level, (1 + n) bits each way per comparison.
 */
export function* treeMax(party: Party, x: Wire, rows: Rows): Steps<Wire> {
  const { levels, tops } = treeOf(rows, x.opened.shape[0]!);
  let pool = x;
  for (const { first, second } of levels) {
    const b = take(pool, second);
    const gap = difference(take(pool, first), b);
    const less = at(yield* below(party, gap, [0], byPoint), 0);
    // a ≥ b, masked by a fresh uniform bit: safe to open.
    const ahead = yield* openWire(party, add(less, publicShare(party, addConstant(mulConstant(less, 0), 1))));
    const chosen = add(select(party, ahead, gap, x.opened.width), lift(party, b, x.opened.width));
    // The larger values are shares like any others: opened under fresh masks.
    pool = joinWires(pool, yield* openWire(party, chosen));
  }
  return take(pool, tops);
}

/**
 * Probabilities of flat scores by rows, as shares in the scores' ring (SIGMA, section 5): y = max − x from opened values,
 * clipped to 16 bits, e^(−y) as the product of two lookups of 8 bits, the inverse of the row's sum by one lookup.
 * Each way per score, with the results' openings: (1 + n − f + 2) + 17 + 2·(1 + 2n) + 9 + 2·(2n + 1).
 */
export function* probabilities(party: Party, scores: Wire, scale: number, layout: ScoreRows): Steps<RingTensor> {
  const { width } = scores.opened;
  const x = narrowed(scores, width - scale + 2);
  const top = yield* treeMax(party, x, layout.rows);
  const y = difference(take(top, layout.rowOf), x);
  const fits = at(yield* below(party, y, [2 ** clippedBits], byPoint), 0);
  const within = yield* openWire(party, fits);
  // Beyond the last entry all exponentials are its own, e^−16.
  const beyond = bitToRing(party, complement(within), clippedBits);
  const clipped = yield* openWire(party, sub(select(party, within, narrowed(y, clippedBits), clippedBits), beyond));
  const high = yield* openWire(party, yield* truncateReduce(party, clipped, clippedBits - indexBits, "down"));
  const factor = (step: number): IntTensor =>
    tableOf(indexBits, (index) => powerOfTwo((-index * step * Math.LOG2E) / 2 ** scale), scale);
  const factors = yield* parallel(
    lookUp(party, high, factor(2 ** indexBits), width),
    lookUp(party, narrowed(clipped, indexBits), factor(1), width),
  );
  const [a, b] = yield* parallel(openWire(party, factors[0]), openWire(party, factors[1]));
  const weights = yield* scaledProduct(party, a, b, scale);
  const sums = reduceSum(spreadRows(weights, layout), [1], false);
  const [open, inverse] = yield* parallel(openWire(party, weights), inverseOf(party, sums, scale, layout.columns));
  return yield* scaledProduct(party, open, take(inverse, layout.rowOf), scale);
}

/** 1/sum for sums of 1 to `most`, on 6 fractional bits of the sum, as an open wire of the sums' ring. 4 rounds. */
function* inverseOf(party: Party, sums: RingTensor, scale: number, most: number): Steps<Wire> {
  const bits = floorLog2(most) + sumBits + 2;
  const coarse = yield* truncateWithSlack(party, yield* openWire(party, sums), scale - sumBits);
  const index = yield* openWire(party, narrow(coarse, bits));
  // No sum is below 1, up to the rounding of its terms: entries before it are never read.
  const table = tableOf(bits, (j) => 2 ** sumBits / Math.max(j, 2 ** (sumBits - 1)), scale);
  return yield* openWire(party, yield* lookUp(party, index, table, sums.width));
}

const complement = (bit: Wire): Wire => ({ ...bit, opened: addConstant(bit.opened, 1) });
