import { type MaskedValue, type Party, parallel, type Steps } from "../../core/index.ts";
import {
  addConstant,
  gatherFlat,
  narrow,
  type RingTensor,
  reduceSum,
  scatterFlat,
  shiftLeft,
  sub,
  widen,
} from "../../ring/index.ts";
import { maskAndOpen } from "../boundary/index.ts";
import { type Comparison, comparisonVariants } from "../comparison/index.ts";
import { dropLowBits, type Spec, signedBits } from "../kit/index.ts";
import {
  evaluateByRangeReduction,
  exponentWidth,
  mantissaBitsFor,
  maskedExponential,
  planRangeReduction,
  type RangeReduction,
  rangeReductionResultWidth,
  rangeReductionWidth,
} from "../nonlinear/index.ts";
import {
  type Buckets,
  bucketMax,
  bucketsOf,
  countingUp,
  maxBuckets,
  type RowIndices,
  rowCount,
  rowMax,
  startsOf,
} from "../ordering/index.ts";

/** Fractional bits of scores in base-2 units, where the exponential of a score y is 2^y, and of the exponentials. */
const leastScoreBits = 12;
const mostScoreBits = 16;
/** Widest scores: comparisons take at most 31 bits. */
const widestScore = 31;

/**
 * These bits for a result with `scale` fractional bits: as many, as far as scores within ±bound can be compared, and
 * `fits` says that other rings allow them.
 */
export function scoreBitsFor(scale: number, bound: number, fits: (bits: number) => boolean = () => true): number {
  let bits = Math.min(mostScoreBits, scale);
  while (bits > leastScoreBits && !(scoreWidth(bound, bits) <= widestScore && fits(bits))) bits--;
  return Math.max(leastScoreBits, bits);
}

/** Method for a row's maximum: a tournament of groups, or counting in buckets (docs/protocols/attention.md). */
export interface MaximumMethod {
  readonly method: "tournament" | "buckets";
  /** Number of elements that are compared, or counted, at once. */
  readonly radix?: number;
  /** Scores lie within ±bound, in base-2 units. */
  readonly bound: number;
  /** Their fractional bits, and those of the exponentials. */
  readonly bits: number;
}

/**
 * Fractional bits of the scores from which the maximum is taken. It is off by at most one unit, which only rescales the
 * row: scores are at least two units below 0. Half units need half as many buckets.
 */
const maxBits: Readonly<Record<MaximumMethod["method"], number>> = { tournament: 2, buckets: 1 };
const scoreBuckets = ({ bound, bits }: Pick<MaximumMethod, "bound" | "bits">): Buckets =>
  bucketsOf(bound, bits, bits - maxBits.buckets);

/** Method of an execution, from its tunings `maximum` and `radix`. */
export const maximumOf = ({ attrs }: Spec, bound: number, bits: number): MaximumMethod => ({
  method: attrs.maximum === "buckets" ? "buckets" : "tournament",
  ...(attrs.radix !== undefined && { radix: Number(attrs.radix) }),
  bound,
  bits,
});

/** Scores per counter: six bits distinguish 0 to 63. */
const defaultBucketSize = 63;

/** The reason why this method does not support the scores. */
export function maximumRefusal(how: MaximumMethod): string | undefined {
  const { method, bound } = how;
  const { count } = scoreBuckets(how);
  return method === "buckets" && !(count <= maxBuckets)
    ? `scores within ±${bound} need ${count} buckets, at most ${maxBuckets} are supported`
    : undefined;
}

/** A flat list of scores and their rows. */
export interface ScoreLayout {
  /** Positions in the full [rows, columns] matrix. */
  readonly flat: Int32Array;
  readonly rows: RowIndices;
  /** The row of each flat score. */
  readonly rowOf: Int32Array;
  readonly columns: number;
  /** Columns that rings are planned for: a cache grows up to them. */
  readonly maxColumns: number;
}

/** Layers repeat, and so do their layouts: the last few are cached. */
const layouts = new Map<string, ScoreLayout>();
const maxLayouts = 8;

/** The valid scores of a position: none of later positions, and only `window` of the latest ones. */
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
 * The valid scores: all; under a causal mask those with column ≤ row's position + (columns − positions); in a sliding
 * window also column > row's position + (columns − positions) − window.
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
  const next = (row: number): number => (row % positions) + 1 + columns - positions;
  const endOf = (row: number): number => (causal ? Math.min(columns, next(row)) : columns);
  const firstOf = (row: number): number => (window > 0 ? Math.max(0, next(row) - window) : 0);
  const starts = startsOf(count, (row) => Math.max(0, endOf(row) - firstOf(row)));
  const total = starts[count]!;
  const [flat, rowOf] = [new Int32Array(total), new Int32Array(total)];
  for (let row = 0, at = 0; row < count; row++) {
    for (let column = firstOf(row); column < endOf(row); column++, at++) {
      flat[at] = row * columns + column;
      rowOf[at] = row;
    }
  }
  return { flat, rows: { starts, positions: countingUp(total) }, rowOf, columns };
}

/** Ring of masked scores within ±bound: differences of two fit with slack. */
export const scoreWidth = (bound: number, bits: number): number =>
  Math.max(signedBits(-bound, bound, bits) + 2, exponentWidth(bits));

/** Widest masked value that `scoreExponentials` and `inverseSums` compare. */
export const maxComparedWidth = (layout: ScoreLayout, width: number, bits: number): number =>
  Math.max(width, rangeReductionWidth(sumPlan(layout, bits)));

/** Ring of an exponential, such that the sum of a row of them fits as well. */
export const expWidth = (layout: ScoreLayout, bits: number): number =>
  Math.max(bits + 3, rangeReductionWidth(sumPlan(layout, bits)));

/** Ring of the sums of exponentials times values within ±bound, with the values at `scale`. */
export const weightedSumWidth = (columns: number, bound: number, scale: number, bits: number): number =>
  signedBits(-2 * columns * bound, 2 * columns * bound, bits + scale);

/**
 * Tunings to try for scores whose widest compared masked value has this many bits: the comparison method,
 * and how many scores of a row are compared, or counted, at once. If rounds dominate, counting takes fewer than groups
 * of 16.
 */
export const scoreVariants = (
  compared: number,
  scores: Pick<MaximumMethod, "bound" | "bits">,
): readonly Spec["attrs"][] => [
  ...comparisonVariants(compared),
  ...[2, 8].flatMap((radix) => [{ radix }, { radix, comparison: "dpf" }]),
  ...(scoreBuckets(scores).count <= maxBuckets
    ? [15, defaultBucketSize].flatMap((radix) => [
        { maximum: "buckets", radix },
        { maximum: "buckets", radix, comparison: "dpf" },
      ])
    : []),
];

/**
 * Exponentials 2^(s − m) of flat scores, m the row's maximum up to 1/2, as a masked value of `width` bits, and their
 * sums by rows as a masked value (softmax without its division; protocols.md 1.7). 3·⌈log4 longest row⌉ + 4 rounds with
 * comparisons of one and groups of four.
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
  const { bits } = maximum;
  const by = bits - maxBits[maximum.method];
  const top = yield* rowMaximum(party, dropLowBits(s, by), layout.rows, maximum, comparison);
  // y = s − (m + 1)·unit < 0 for every score of the row; the maximum's mask is subtracted with it.
  const raised = (t: RingTensor): RingTensor => shiftLeft(widen(t, s.opened.width), by);
  const spread = (t: RingTensor): RingTensor => gatherFlat(raised(t), layout.rowOf, [layout.rowOf.length]);
  const y: MaskedValue = {
    kind: "masked",
    opened: addConstant(sub(s.opened, spread(top.opened)), -(2 ** by)),
    mask: { share: undefined, secret: sub(s.mask.secret, spread(top.mask.secret)), fresh: false },
  };
  const weights = yield* maskedExponential(party, y, bits, { width, scale: bits }, comparison);
  const full = scatterScores(weights, layout);
  const sums = reduceSum(full, [1], false);
  const plan = sumPlan(layout, bits);
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
  { method, radix, ...scores }: MaximumMethod,
  comparison: Comparison | undefined,
): Steps<MaskedValue> {
  return method === "buckets"
    ? yield* bucketMax(party, x, rows, scoreBuckets(scores), radix ?? defaultBucketSize)
    : yield* rowMax(party, x, rows, comparison, radix);
}

/** The sum of a row's exponentials is at least 2^−1/2·(1 − rounding) and at most the row's length. */
export const sumPlan = (layout: ScoreLayout, bits: number): RangeReduction =>
  planRangeReduction("reciprocal", 0.5, layout.maxColumns * 1.02, bits, 1, mantissaBitsFor(bits));

/** 1/sum for each row as a masked value. 3 rounds. */
export function* inverseSums(
  party: Party,
  sums: MaskedValue,
  layout: ScoreLayout,
  bits: number,
  comparison?: Comparison,
): Steps<MaskedValue> {
  const plan = sumPlan(layout, bits);
  return yield* maskAndOpen(
    party,
    yield* evaluateByRangeReduction(party, sums, plan, rangeReductionResultWidth(plan), comparison),
  );
}

/** Flat scores as the full [rows, columns] matrix, zero for the other scores. */
export const scatterScores = (flat: RingTensor, layout: ScoreLayout): RingTensor =>
  scatterFlat(flat, layout.flat, [rowCount(layout.rows), layout.columns]);
