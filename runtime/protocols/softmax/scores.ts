import type { Party, Wire } from "../../core/index.ts";
import { parallel, type Steps } from "../../core/index.ts";
import type { RingTensor } from "../../ring/index.ts";
import { addConstant, gatherFlat, narrow, reduceSum, scatterFlat, shiftLeft, sub, widen } from "../../ring/index.ts";
import { openWire } from "../boundary/index.ts";
import { type Comparison, comparisonVariants } from "../comparison/index.ts";
import type { Spec } from "../kit/index.ts";
import { coarse, signedBits } from "../kit/index.ts";
import {
  exponential,
  exponentWidth,
  type OctavePlan,
  octaveResultWidth,
  octaves,
  octaveWireWidth,
  planOctaves,
} from "../nonlinear/index.ts";
import { type Buckets, bucketMax, bucketsOf, mostBuckets, type Rows, rowMax } from "../ordering/index.ts";

/** Fractional bits of scores, in base-2 units: the weight of a score y is 2^y. */
export const scoreScale = 12;
/** Fractional bits of the weights 2^y ∈ (0, 1). */
export const weightScale = 12;
/** How a row's maximum is found: by a tournament of groups, or by counting in buckets (docs/protocols/attention.md). */
export interface Maximum {
  readonly way: "tournament" | "buckets";
  /** How many meet, or are counted, at once. */
  readonly radix?: number;
  /** Scores lie within ±bound, in base-2 units. */
  readonly bound: number;
}

/**
 * Fractional bits on which the maximum is taken; off by at most one unit, which only rescales the row: scores end at
 * least two units below 0. Half units make half as many buckets.
 */
const maxBits: Readonly<Record<Maximum["way"], number>> = { tournament: 2, buckets: 1 };
const bucketsFor = (bound: number): Buckets => bucketsOf(bound, scoreScale, scoreScale - maxBits.buckets);

/** What an execution is tuned to: `maximum` and `radix`. */
export const maximumOf = ({ attrs }: Spec, bound: number): Maximum => ({
  way: attrs.maximum === "buckets" ? "buckets" : "tournament",
  ...(attrs.radix !== undefined && { radix: Number(attrs.radix) }),
  bound,
});

/** Counters of a bucket: six bits tell 0 to 63 apart. */
const usualCount = 63;

/** Why a row's maximum cannot be found so. */
export function maximumRefused({ way, bound }: Maximum): string | undefined {
  const { count } = bucketsFor(bound);
  return way === "buckets" && !(count <= mostBuckets)
    ? `scores within ±${bound} take ${count} buckets, at most ${mostBuckets} are counted`
    : undefined;
}

/** A flat list of scores with the rows that they form. */
export interface ScoreRows {
  /** Positions in the full [rows, columns] matrix. */
  readonly flat: Int32Array;
  readonly rows: Rows;
  /** The row of each flat score. */
  readonly rowOf: Int32Array;
  readonly columns: number;
  /** Columns that rings are planned for: a cache grows within them. */
  readonly most: number;
}

/** Layers repeat, and so do their layouts: the last few are kept. */
const layouts = new Map<string, ScoreRows>();
const kept = 8;

/** Which scores of a place exist: none of later places, and of so many places only. */
export interface Reach {
  readonly causal: boolean;
  /** 0: no limit. */
  readonly window: number;
}
export const everything: Reach = { causal: false, window: 0 };
export const reachOf = ({ attrs }: Spec): Reach => ({
  causal: attrs.causal === true,
  window: Number(attrs.window ?? 0),
});

/**
 * The scores that exist: all; under a causal mask those with column ≤ row's place + (columns − places); in a window those
 * with column > row's place + (columns − places) − window.
 */
export function scoreRows(
  count: number,
  places: number,
  columns: number,
  reach: Reach,
  most: number = columns,
): ScoreRows {
  const key = `${count} ${places} ${columns} ${reach.causal} ${reach.window} ${most}`;
  const layout = layouts.get(key) ?? { ...layOut(count, places, columns, reach), most };
  layouts.delete(key);
  layouts.set(key, layout);
  if (layouts.size > kept) layouts.delete(layouts.keys().next().value!);
  return layout;
}

function layOut(count: number, places: number, columns: number, { causal, window }: Reach): Omit<ScoreRows, "most"> {
  const flat: number[] = [];
  const rows: number[][] = [];
  for (let row = 0; row < count; row++) {
    const next = (row % places) + 1 + columns - places;
    const end = causal ? Math.min(columns, next) : columns;
    const mine: number[] = [];
    for (let column = window > 0 ? Math.max(0, next - window) : 0; column < end; column++) {
      mine.push(flat.length);
      flat.push(row * columns + column);
    }
    rows.push(mine);
  }
  const rowOf = Int32Array.from(rows.flatMap((row, index) => row.map(() => index)));
  return { flat: Int32Array.from(flat), rows, rowOf, columns };
}

/** Ring of a score wire for scores within ±bound: differences of two fit with slack. */
export const scoreWidth = (bound: number): number =>
  Math.max(signedBits(-bound, bound, scoreScale) + 2, exponentWidth(scoreScale));

/** Widest wire that is compared in all of `scoreWeights` and `inverseSums`. */
export const comparedWidth = (layout: ScoreRows, width: number): number =>
  Math.max(width, octaveWireWidth(sumPlan(layout)));

/** Ring of a weight, such that the sum of a row of them fits as well. */
export const weightWidth = (layout: ScoreRows): number => Math.max(weightScale + 3, octaveWireWidth(sumPlan(layout)));

/** Ring in which sums of weights times values within ±bound are formed, values at `scale`. */
export const weightedWidth = (columns: number, bound: number, scale: number): number =>
  signedBits(-2 * columns * bound, 2 * columns * bound, weightScale + scale);

/**
 * The tunings that may be worth it for scores whose widest compared wire has so many bits, within ±bound: the way to
 * compare, how many scores of a row meet at once, or are counted. Where rounds decide, counting takes fewer than groups
 * of 16.
 */
export const scoreVariants = (bits: number, bound: number): readonly Spec["attrs"][] => [
  ...comparisonVariants(bits),
  ...[2, 8].flatMap((radix) => [{ radix }, { radix, comparison: "dpf" }]),
  ...(bucketsFor(bound).count <= mostBuckets
    ? [15, usualCount].flatMap((radix) => [
        { maximum: "buckets", radix },
        { maximum: "buckets", radix, comparison: "dpf" },
      ])
    : []),
];

/**
 * Weights 2^(s − m) of flat scores, m the row's maximum up to 1/2, as an open wire of `width` bits, and the sums of
 * the rows' weights as an open wire (softmax without its division; protocols.md 1.7).
 * 3·⌈log4 longest row⌉ + 4 rounds with comparisons of one and groups of four.
 */
export function* scoreWeights(
  party: Party,
  scores: RingTensor,
  layout: ScoreRows,
  width: number,
  maximum: Maximum,
  comparison?: Comparison,
): Steps<{ readonly weights: Wire; readonly sums: Wire }> {
  const s = yield* openWire(party, scores);
  const by = scoreScale - maxBits[maximum.way];
  const top = yield* rowMaximum(party, coarse(s, by), layout.rows, maximum, comparison);
  // y = s − (m + 1)·unit < 0 for every score of the row; the maximum's mask moves along with it.
  const raised = (t: RingTensor): RingTensor => shiftLeft(widen(t, s.opened.width), by);
  const spread = (t: RingTensor): RingTensor => gatherFlat(raised(t), layout.rowOf, [layout.rowOf.length]);
  const y: Wire = {
    kind: "wire",
    opened: addConstant(sub(s.opened, spread(top.opened)), -(2 ** by)),
    mask: { share: undefined, secret: sub(s.mask.secret, spread(top.mask.secret)), fresh: false },
  };
  const weights = yield* exponential(party, y, scoreScale, { width, scale: weightScale }, comparison);
  const full = spreadRows(weights, layout);
  const sums = reduceSum(full, [1], false);
  const plan = sumPlan(layout);
  const [open, openSums] = yield* parallel(
    openWire(party, weights),
    openWire(party, narrow(sums, octaveWireWidth(plan))),
  );
  return { weights: open, sums: openSums };
}

function* rowMaximum(
  party: Party,
  x: Wire,
  rows: Rows,
  { way, radix, bound }: Maximum,
  comparison: Comparison | undefined,
): Steps<Wire> {
  return way === "buckets"
    ? yield* bucketMax(party, x, rows, bucketsFor(bound), radix ?? usualCount)
    : yield* rowMax(party, x, rows, comparison, radix);
}

/** The sum of a row's weights is at least 2^−1/2·(1 − rounding) and at most its length. */
export const sumPlan = (layout: ScoreRows): OctavePlan =>
  planOctaves("reciprocal", 0.5, layout.most * 1.02, weightScale);

/** 1/sum for each row as an open wire. 3 rounds. */
export function* inverseSums(party: Party, sums: Wire, layout: ScoreRows, comparison?: Comparison): Steps<Wire> {
  const plan = sumPlan(layout);
  return yield* openWire(party, yield* octaves(party, sums, plan, octaveResultWidth(plan), comparison));
}

/** Flat scores as the full [rows, columns] matrix, zero where no score exists. */
export const spreadRows = (flat: RingTensor, layout: ScoreRows): RingTensor =>
  scatterFlat(flat, layout.flat, [layout.rows.length, layout.columns]);
