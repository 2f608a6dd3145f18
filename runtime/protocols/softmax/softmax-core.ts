import type { MaskedValue, Party } from "../../core/index.ts";
import { parallel, type Steps } from "../../core/index.ts";
import type { RingTensor } from "../../ring/index.ts";
import { addConstant, gatherFlat, narrow, reduceSum, scatterFlat, shiftLeft, sub, widen } from "../../ring/index.ts";
import { maskAndOpen } from "../boundary/index.ts";
import { type Comparison, comparisonVariants } from "../comparison/index.ts";
import type { Spec } from "../kit/index.ts";
import { dropLowBits, signedBits } from "../kit/index.ts";
import {
  evaluateByRangeReduction,
  exponentWidth,
  maskedExponential,
  planRangeReduction,
  type RangeReduction,
  rangeReductionResultWidth,
  rangeReductionWidth,
} from "../nonlinear/index.ts";
import { type Buckets, bucketMax, bucketsOf, maxBuckets, type RowIndices, rowMax } from "../ordering/index.ts";

/** Fractional bits of scores, in base-2 units: the weight of a score y is 2^y. */
export const scoreScale = 12;
/** Fractional bits of the weights 2^y ∈ (0, 1). */
export const expScale = 12;
/** How a row's maximum is found: by a tournament of groups, or by counting in buckets (docs/protocols/attention.md). */
export interface MaximumMethod {
  readonly method: "tournament" | "buckets";
  /** How many meet, or are counted, at once. */
  readonly radix?: number;
  /** Scores lie within ±bound, in base-2 units. */
  readonly bound: number;
}

/**
 * Fractional bits on which the maximum is taken; off by at most one unit, which only rescales the row: scores end at
 * least two units below 0. Half units make half as many buckets.
 */
const maxBits: Readonly<Record<MaximumMethod["method"], number>> = { tournament: 2, buckets: 1 };
const scoreBuckets = (bound: number): Buckets => bucketsOf(bound, scoreScale, scoreScale - maxBits.buckets);

/** What an execution is tuned to: `maximum` and `radix`. */
export const maximumOf = ({ attrs }: Spec, bound: number): MaximumMethod => ({
  method: attrs.maximum === "buckets" ? "buckets" : "tournament",
  ...(attrs.radix !== undefined && { radix: Number(attrs.radix) }),
  bound,
});

/** Counters of a bucket: six bits tell 0 to 63 apart. */
const defaultBucketSize = 63;

/** Why a row's maximum cannot be found so. */
export function maximumRefusal({ method: way, bound }: MaximumMethod): string | undefined {
  const { count } = scoreBuckets(bound);
  return way === "buckets" && !(count <= maxBuckets)
    ? `scores within ±${bound} take ${count} buckets, at most ${maxBuckets} are counted`
    : undefined;
}

/** A flat list of scores with the rows that they form. */
export interface ScoreLayout {
  /** Positions in the full [rows, columns] matrix. */
  readonly flat: Int32Array;
  readonly rows: RowIndices;
  /** The row of each flat score. */
  readonly rowOf: Int32Array;
  readonly columns: number;
  /** Columns that rings are planned for: a cache grows within them. */
  readonly maxColumns: number;
}

/** Layers repeat, and so do their layouts: the last few are kept. */
const layouts = new Map<string, ScoreLayout>();
const maxLayouts = 8;

/** Which scores of a place exist: none of later places, and of so many places only. */
export interface MaskPattern {
  readonly causal: boolean;
  /** 0: no limit. */
  readonly window: number;
}
export const unmasked: MaskPattern = { causal: false, window: 0 };
export const maskPatternOf = ({ attrs }: Spec): MaskPattern => ({
  causal: attrs.causal === true,
  window: Number(attrs.window ?? 0),
});

/**
 * The scores that exist: all; under a causal mask those with column ≤ row's place + (columns − places); in a window those
 * with column > row's place + (columns − places) − window.
 */
export function scoreLayout(
  count: number,
  positions: number,
  columns: number,
  pattern: MaskPattern,
  maxColumns: number = columns,
): ScoreLayout {
  const key = `${count} ${positions} ${columns} ${pattern.causal} ${pattern.window} ${maxColumns}`;
  const layout = layouts.get(key) ?? { ...buildLayout(count, positions, columns, pattern), maxColumns };
  layouts.delete(key);
  layouts.set(key, layout);
  if (layouts.size > maxLayouts) layouts.delete(layouts.keys().next().value!);
  return layout;
}

function buildLayout(
  count: number,
  positions: number,
  columns: number,
  { causal, window }: MaskPattern,
): Omit<ScoreLayout, "maxColumns"> {
  const flat: number[] = [];
  const rows: number[][] = [];
  for (let row = 0; row < count; row++) {
    const next = (row % positions) + 1 + columns - positions;
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
export const maxComparedWidth = (layout: ScoreLayout, width: number): number =>
  Math.max(width, rangeReductionWidth(sumPlan(layout)));

/** Ring of a weight, such that the sum of a row of them fits as well. */
export const expWidth = (layout: ScoreLayout): number => Math.max(expScale + 3, rangeReductionWidth(sumPlan(layout)));

/** Ring in which sums of weights times values within ±bound are formed, values at `scale`. */
export const weightedSumWidth = (columns: number, bound: number, scale: number): number =>
  signedBits(-2 * columns * bound, 2 * columns * bound, expScale + scale);

/**
 * The tunings that may be worth it for scores whose widest compared wire has so many bits, within ±bound: the way to
 * compare, how many scores of a row meet at once, or are counted. Where rounds decide, counting takes fewer than groups
 * of 16.
 */
export const scoreVariants = (bits: number, bound: number): readonly Spec["attrs"][] => [
  ...comparisonVariants(bits),
  ...[2, 8].flatMap((radix) => [{ radix }, { radix, comparison: "dpf" }]),
  ...(scoreBuckets(bound).count <= maxBuckets
    ? [15, defaultBucketSize].flatMap((radix) => [
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
export function* scoreExponentials(
  party: Party,
  scores: RingTensor,
  layout: ScoreLayout,
  width: number,
  maximum: MaximumMethod,
  comparison?: Comparison,
): Steps<{ readonly weights: MaskedValue; readonly sums: MaskedValue }> {
  const s = yield* maskAndOpen(party, scores);
  const by = scoreScale - maxBits[maximum.method];
  const top = yield* rowMaximum(party, dropLowBits(s, by), layout.rows, maximum, comparison);
  // y = s − (m + 1)·unit < 0 for every score of the row; the maximum's mask moves along with it.
  const raised = (t: RingTensor): RingTensor => shiftLeft(widen(t, s.opened.width), by);
  const spread = (t: RingTensor): RingTensor => gatherFlat(raised(t), layout.rowOf, [layout.rowOf.length]);
  const y: MaskedValue = {
    kind: "masked",
    opened: addConstant(sub(s.opened, spread(top.opened)), -(2 ** by)),
    mask: { share: undefined, secret: sub(s.mask.secret, spread(top.mask.secret)), fresh: false },
  };
  const weights = yield* maskedExponential(party, y, scoreScale, { width, scale: expScale }, comparison);
  const full = scatterScores(weights, layout);
  const sums = reduceSum(full, [1], false);
  const plan = sumPlan(layout);
  const [open, openSums] = yield* parallel(
    maskAndOpen(party, weights),
    maskAndOpen(party, narrow(sums, rangeReductionWidth(plan))),
  );
  return { weights: open, sums: openSums };
}

function* rowMaximum(
  party: Party,
  x: MaskedValue,
  rows: RowIndices,
  { method: way, radix, bound }: MaximumMethod,
  comparison: Comparison | undefined,
): Steps<MaskedValue> {
  return way === "buckets"
    ? yield* bucketMax(party, x, rows, scoreBuckets(bound), radix ?? defaultBucketSize)
    : yield* rowMax(party, x, rows, comparison, radix);
}

/** The sum of a row's weights is at least 2^−1/2·(1 − rounding) and at most its length. */
export const sumPlan = (layout: ScoreLayout): RangeReduction =>
  planRangeReduction("reciprocal", 0.5, layout.maxColumns * 1.02, expScale);

/** 1/sum for each row as an open wire. 3 rounds. */
export function* inverseSums(
  party: Party,
  sums: MaskedValue,
  layout: ScoreLayout,
  comparison?: Comparison,
): Steps<MaskedValue> {
  const plan = sumPlan(layout);
  return yield* maskAndOpen(
    party,
    yield* evaluateByRangeReduction(party, sums, plan, rangeReductionResultWidth(plan), comparison),
  );
}

/** Flat scores as the full [rows, columns] matrix, zero where no score exists. */
export const scatterScores = (flat: RingTensor, layout: ScoreLayout): RingTensor =>
  scatterFlat(flat, layout.flat, [layout.rows.length, layout.columns]);
