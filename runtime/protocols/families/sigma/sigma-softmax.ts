import { type MaskedValue, type Party, parallel, type Steps } from "../../../core/index.ts";
import {
  add,
  addConstant,
  floorLog2,
  gatherFlat,
  type IntTensor,
  intTensor,
  mulConstant,
  narrow,
  powerOfTwo,
  type RingTensor,
  reduceSum,
  sub,
} from "../../../ring/index.ts";
import { maskAndOpen } from "../../boundary/index.ts";
import { belowThresholds } from "../../comparison/index.ts";
import {
  bitToRing,
  concatMasked,
  entryAt,
  liftToRing,
  mapMasked,
  narrowMasked,
  publicShare,
  selectMasked,
  subMasked,
} from "../../kit/index.ts";
import { lengthOfRow, longestRow, type RowIndices, rowCount, startsOf } from "../../ordering/index.ts";
import { type ScoreLayout, scatterScores } from "../../softmax/index.ts";
import { dpfComparison, lookUpTable, scaledProduct, truncateReduce, truncateWithSlack } from "./sigma-core.ts";

/** Bits of the exponential's clipped argument; two lookups take half of them each as their index. */
const clippedBits = 16;
const indexBits = 8;
/** Fractional bits of the sums whose inverse is looked up. */
const sumBits = 6;

/** Table of 2^bits entries: f(index / 2^scale), with `to` fractional bits. */
const tableOf = (bits: number, f: (index: number) => number, to: number): IntTensor =>
  intTensor(
    [2 ** bits],
    Float64Array.from({ length: 2 ** bits }, (_, index) => Math.round(f(index) * 2 ** to)),
  );

/** Elements of a row, from their positions in its parent list. */
const gatherMasked = (x: MaskedValue, positions: Int32Array): MaskedValue =>
  mapMasked(x, (t) => gatherFlat(t, positions, [positions.length]));

/**
 * One level of a tree of maxima: positions to compare by pairs, among all earlier elements, and the number of new
 * elements.
 */
interface TreeLevel {
  readonly first: Int32Array;
  readonly second: Int32Array;
}
interface MaximumTree {
  readonly levels: readonly TreeLevel[];
  /** Final position of each row's largest element. */
  readonly tops: Int32Array;
}

const trees = new WeakMap<RowIndices, MaximumTree>();

/** Pairs of neighbours, level by level; an odd one moves to the next level. Computed once for each row layout. */
function treeOf(rows: RowIndices, size: number): MaximumTree {
  const known = trees.get(rows);
  if (known) return known;
  const levels: TreeLevel[] = [];
  let next = size;
  let left: RowIndices = rows;
  while (longestRow(left) > 1) {
    const { starts, positions } = left;
    const count = rowCount(left);
    const after = startsOf(count, (row) => Math.ceil(lengthOfRow(left, row) / 2));
    const pairs = positions.length - after[count]!;
    const [first, second] = [new Int32Array(pairs), new Int32Array(pairs)];
    const remaining = new Int32Array(after[count]!);
    let pair = 0;
    for (let row = 0, to = 0; row < count; row++) {
      for (let at = starts[row]!; at < starts[row + 1]!; at += 2) {
        const isPair = at + 1 < starts[row + 1]!;
        if (isPair) {
          first[pair] = positions[at]!;
          second[pair++] = positions[at + 1]!;
        }
        remaining[to++] = isPair ? next++ : positions[at]!;
      }
    }
    levels.push({ first, second });
    left = { starts: after, positions: remaining };
  }
  const tree = { levels, tops: left.positions };
  trees.set(rows, tree);
  return tree;
}

/**
 * Largest element of each row of a flat masked value by a binary tree. Differences of opened values are free; each
 * comparison opens a bit and the larger value in the masked value's own ring. 2 rounds a level, (1 + n) bits each way
 * per comparison.
 */
export function* treeMax(party: Party, x: MaskedValue, rows: RowIndices): Steps<MaskedValue> {
  const { levels, tops } = treeOf(rows, x.opened.shape[0]!);
  let pool = x;
  for (const { first, second } of levels) {
    const b = gatherMasked(pool, second);
    const gap = subMasked(gatherMasked(pool, first), b);
    const less = entryAt(yield* belowThresholds(party, gap, [0], dpfComparison), 0);
    // A fresh uniform bit masks a ≥ b: safe to open.
    const ahead = yield* maskAndOpen(party, add(less, publicShare(party, addConstant(mulConstant(less, 0), 1))));
    const chosen = add(selectMasked(party, ahead, gap, x.opened.width), liftToRing(party, b, x.opened.width));
    // The larger values are shares like any others: opened under fresh masks.
    pool = concatMasked(pool, yield* maskAndOpen(party, chosen));
  }
  return gatherMasked(pool, tops);
}

/**
 * Probabilities of flat scores by rows, as shares in the scores' ring (SIGMA, section 5): y = max − x from opened
 * values, clipped to 16 bits, e^(−y) as the product of two lookups of 8 bits, the inverse of the row's sum by one
 * lookup. Bits each way per score, with the results' openings: (1 + n − f + 2) + 17 + 2·(1 + 2n) + 9 + 2·(2n + 1).
 */
export function* probabilities(
  party: Party,
  scores: MaskedValue,
  scale: number,
  layout: ScoreLayout,
): Steps<RingTensor> {
  const { width } = scores.opened;
  const x = narrowMasked(scores, width - scale + 2);
  const top = yield* treeMax(party, x, layout.rows);
  const y = subMasked(gatherMasked(top, layout.rowOf), x);
  const fits = entryAt(yield* belowThresholds(party, y, [2 ** clippedBits], dpfComparison), 0);
  const within = yield* maskAndOpen(party, fits);
  // Beyond the last entry every exponential is the last entry, e^−16.
  const beyond = bitToRing(party, complement(within), clippedBits);
  const clipped = yield* maskAndOpen(
    party,
    sub(selectMasked(party, within, narrowMasked(y, clippedBits), clippedBits), beyond),
  );
  const high = yield* maskAndOpen(party, yield* truncateReduce(party, clipped, clippedBits - indexBits, "down"));
  const factor = (step: number): IntTensor =>
    tableOf(indexBits, (index) => powerOfTwo((-index * step * Math.LOG2E) / 2 ** scale), scale);
  const factors = yield* parallel(
    lookUpTable(party, high, factor(2 ** indexBits), width),
    lookUpTable(party, narrowMasked(clipped, indexBits), factor(1), width),
  );
  const [a, b] = yield* parallel(maskAndOpen(party, factors[0]), maskAndOpen(party, factors[1]));
  const weights = yield* scaledProduct(party, a, b, scale);
  const sums = reduceSum(scatterScores(weights, layout), [1], false);
  const [open, inverse] = yield* parallel(maskAndOpen(party, weights), inverseOf(party, sums, scale, layout.columns));
  return yield* scaledProduct(party, open, gatherMasked(inverse, layout.rowOf), scale);
}

/** 1/sum for sums of 1 to `most`, on 6 fractional bits of the sum, as a masked value in the sums' ring. 4 rounds. */
function* inverseOf(party: Party, sums: RingTensor, scale: number, most: number): Steps<MaskedValue> {
  const bits = floorLog2(most) + sumBits + 2;
  const coarse = yield* truncateWithSlack(party, yield* maskAndOpen(party, sums), scale - sumBits);
  const index = yield* maskAndOpen(party, narrow(coarse, bits));
  // No sum is below 1, up to the rounding of its terms: entries before that are never read.
  const table = tableOf(bits, (j) => 2 ** sumBits / Math.max(j, 2 ** (sumBits - 1)), scale);
  return yield* maskAndOpen(party, yield* lookUpTable(party, index, table, sums.width));
}

const complement = (bit: MaskedValue): MaskedValue => ({ ...bit, opened: addConstant(bit.opened, 1) });
