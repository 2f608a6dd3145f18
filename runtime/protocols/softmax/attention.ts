import { type MaskedValue, type Party, parallel, type Share, type Steps } from "../../core/index.ts";
import {
  add,
  expand,
  gatherFlat,
  mulConstant,
  type RingTensor,
  reshape,
  shiftRightRounded,
  transpose,
} from "../../ring/index.ts";
import { maskAndOpen } from "../boundary/index.ts";
import { comparisonOf, comparisonRefusal, operandShare } from "../comparison/index.ts";
import {
  defineProtocol,
  mapMasked,
  matmulMasked,
  maxMagnitude,
  multiplyMasked,
  type Operand,
  rescale,
  type Spec,
  widthBeforeRescale,
} from "../kit/index.ts";
import { rangeReductionScale } from "../nonlinear/index.ts";
import { rowCount } from "../ordering/index.ts";
import {
  expWidth,
  inverseSums,
  type MaximumMethod,
  maskPatternOf,
  maxComparedWidth,
  maximumOf,
  maximumRefusal,
  type ScoreLayout,
  scatterScores,
  scoreBitsFor,
  scoreExponentials,
  scoreLayout,
  scoreVariants,
  scoreWidth,
  sumPlan,
  weightedSumWidth,
} from "./softmax-core.ts";

/** Fractional bits of the public factor that turns q·k into base-2 scores, unless it is 1. */
const factorBits = 12;
/** Fractional bits of log2 e, which turns the mask into base-2 scores, beyond those that the mask's own scale lacks. */
const maskBits = 16;
/** Widest ring of the weighted values: beyond it the exponential would keep fewer than 36 bits for its two factors. */
const widestValue = 40;

interface AttentionPlan {
  readonly layout: ScoreLayout;
  readonly groups: number;
  /** round(scale·log2 e·2^12), or 1 when the factor has been folded into the queries. */
  readonly factor: number;
  readonly scoreShift: number;
  /** round(log2 e·2^…): a mask times this has `maskBits` more bits than scores. */
  readonly maskFactor: number;
  readonly maximum: MaximumMethod;
  readonly scoreWidth: number;
  readonly valueWidth: number;
  readonly valueDrop: number;
  /** Excess low bits of the product of a sum and its inverse. */
  readonly productDrop: number;
}

/** The columns that the spec declares determine rings and shifts; `present` columns have scores. */
function planAttention(spec: Spec, present?: number): AttentionPlan {
  const [q, k, v, mask] = spec.operands;
  const [batch, heads, positions] = q!.shape as [number, number, number, number];
  const [, groups, columns] = k!.shape as [number, number, number, number];
  const layout = scoreLayout(batch * heads * positions, positions, present ?? columns, maskPatternOf(spec), columns);
  const scale = Number(spec.attrs.scale) * Math.LOG2E;
  const folded = Math.abs(scale - 1) < 1e-9;
  // A masked score must fit its ring as well: if it wrapped, it would count as a valid score.
  const masked = mask ? Math.max(Math.abs(mask.lo), Math.abs(mask.hi)) * Math.LOG2E : 0;
  const scoreBound = Number(spec.attrs.score_bound) + masked;
  const bound = Math.max(Math.abs(v!.lo), Math.abs(v!.hi));
  const { result } = spec;
  const sumWidth = (bits: number): number => weightedSumWidth(columns, bound, v!.scale, bits);
  const bits = scoreBitsFor(result.scale, scoreBound, (each) => sumWidth(each) <= widestValue);
  const maximum = maximumOf(spec, scoreBound, bits);
  const scoreShift = q!.scale + k!.scale - bits + (folded ? 0 : factorBits);
  return {
    layout,
    groups,
    factor: folded ? 1 : Math.round(scale * 2 ** factorBits),
    scoreShift,
    maskFactor: Math.round(Math.LOG2E * 2 ** (maskBits + bits - (mask?.scale ?? 0))),
    maximum,
    scoreWidth: scoreWidth(maximum.bound, bits),
    valueWidth: Math.max(sumWidth(bits), expWidth(layout, bits)),
    // The sums of weighted values have the bits of the exponentials before the division.
    valueDrop: v!.scale,
    productDrop: productScale(layout, bits) - result.scale,
  };
}

/** Fractional bits of the product of a sum and its inverse. */
const productScale = (layout: ScoreLayout, bits: number): number => bits + rangeReductionScale(sumPlan(layout, bits));

/** Ring in which an added mask is turned into base-2 scores. */
const maskWidth = ({ scoreWidth }: AttentionPlan): number => scoreWidth + maskBits;

/**
 * softmax(scale·q·kᵀ + mask)·v from one opening of each of q, k, v (protocols.md 1.7). Scores that the causal mask
 * removes do not exist: nothing is dealt, sent, compared or exponentiated for them (the local matrix product computes
 * and drops them). The division by the row's sum follows on the [rows, D] result. 3·⌈log4 columns⌉ + 7 rounds; 7 with
 * counted buckets and point functions.
 */
function* maskedAttention(
  party: Party,
  spec: Spec,
  q: MaskedValue,
  k: MaskedValue,
  v: MaskedValue,
  mask?: Operand,
): Steps<Share> {
  const columns = k.opened.shape[2]!;
  const plan = planAttention(spec, columns);
  const comparison = comparisonOf(spec);
  const [batch, heads, positions, depth] = q.opened.shape as [number, number, number, number];
  const valueDepth = v.opened.shape[3]!;
  const perGroup = (heads / plan.groups) * positions;
  const { layout } = plan;
  // Query heads of one key head are stacked as rows: k and v are not copied (grouped-query attention).
  const grouped = mapMasked(q, (t) => reshape(t, [batch, plan.groups, perGroup, depth]));
  const keep = (t: RingTensor): RingTensor => gatherFlat(t, layout.flat, [layout.flat.length]);
  const products = matmulMasked(
    party,
    grouped,
    mapMasked(k, (t) => transpose(t, [0, 1, 3, 2])),
    keep,
  );
  const scaled = plan.factor === 1 ? products : mulConstant(products, plan.factor);
  const shifted = plan.scoreShift > 0 ? shiftRightRounded(scaled, plan.scoreShift) : scaled;
  const added =
    mask && shiftRightRounded(mulConstant(operandShare(party, mask, maskWidth(plan)), plan.maskFactor), maskBits);
  const scores = added ? add(shifted, keep(expand(added, [batch, heads, positions, columns]))) : shifted;

  const { weights, sums } = yield* scoreExponentials(party, scores, layout, plan.valueWidth, plan.maximum, comparison);
  const matrix = mapMasked(weights, (t) => reshape(scatterScores(t, layout), [batch, plan.groups, perGroup, columns]));
  const weighted = matmulMasked(party, matrix, v, (t) => reshape(t, [rowCount(layout.rows), valueDepth]));
  const [total, inverse] = yield* parallel(
    maskAndOpen(party, plan.valueDrop > 0 ? shiftRightRounded(weighted, plan.valueDrop) : weighted),
    inverseSums(party, sums, layout, plan.maximum.bits, comparison),
  );
  const perRow = mapMasked(inverse, (t) => reshape(t, [rowCount(layout.rows), 1]));
  const product = multiplyMasked(party, total, perRow, widthBeforeRescale(spec.result.width, plan.productDrop));
  const result = rescale(product, plan.productDrop);
  return { kind: "share", tensor: reshape(result, [batch, heads, positions, valueDepth]) };
}

/**
 * The values times the relative error of their exponentials: the error of the exponent from rounding the score and the
 * factor, and eight of their units for the rounding of exponentials, sums and inverse, as the test measures.
 */
function attentionUlps(spec: Spec, seen: Spec = spec): number {
  const { factor, scoreShift, maximum } = planAttention(spec);
  const [q, k, , mask] = spec.operands;
  const wanted = Number(spec.attrs.scale) * Math.LOG2E;
  const used = factor * 2 ** (q!.scale + k!.scale - maximum.bits - scoreShift);
  const rounded = (mask ? 2 : 1) * 2 ** -maximum.bits;
  const score = rounded + Number(spec.attrs.score_bound) * Math.abs(used / wanted - 1);
  const bound = maxMagnitude(seen.operands[2]!);
  return 4 + 2 ** spec.result.scale * bound * (2 ** (3 - maximum.bits) + Math.LN2 * score);
}

export const coarseMaxAttention = defineProtocol({
  name: "coarse-max.attention",
  implements: "attention",
  settings: ["2pc-dealer", "3pc"],
  security: "semi-honest",
  paper: "ours: docs/protocols/attention.md; deferred division after FlashAttention (Dao et al., NeurIPS 2022)",
  accuracy: { ulps: attentionUlps },
  forms: ["masked", "masked", "masked", "share"],
  yields: "share",
  exactRings: true,
  operandWidths: (spec) => {
    const plan = planAttention(spec);
    const product = plan.scoreWidth + plan.scoreShift;
    return [product, product, plan.valueWidth, maskWidth(plan)].slice(0, spec.operands.length);
  },
  maxResultWidth: (spec) => {
    const { layout, maximum } = planAttention(spec);
    return 64 - Math.max(0, productScale(layout, maximum.bits) - spec.result.scale);
  },
  refuses: (spec) => {
    if (!(Number(spec.attrs.score_bound) > 0)) return "attention needs a bound on its scores: calibrate";
    const plan = planAttention(spec);
    const why = comparisonRefusal(
      maxComparedWidth(plan.layout, plan.scoreWidth, plan.maximum.bits),
      comparisonOf(spec),
    );
    if (why) return why;
    const uncounted = maximumRefusal(plan.maximum);
    if (uncounted) return uncounted;
    if (plan.valueWidth > widestValue)
      return `weighted values need a ring of ${plan.valueWidth} bits, at most ${widestValue} are supported`;
    const widest = Math.max(plan.scoreWidth + plan.scoreShift, widthBeforeRescale(spec.result.width, plan.productDrop));
    return widest > 64 ? `products need a ring of ${widest} bits, at most 64 are supported` : undefined;
  },
  variants: (spec) => {
    const plan = planAttention(spec);
    return scoreVariants(maxComparedWidth(plan.layout, plan.scoreWidth, plan.maximum.bits), plan.maximum);
  },
  run: runAttention,
});

function* runAttention(party: Party, spec: Spec, ...[q, k, v, mask]: Operand[]): Steps<Share> {
  return yield* maskedAttention(party, spec, q as MaskedValue, k as MaskedValue, v as MaskedValue, mask);
}

/**
 * The same with a public mask: a position bias, or a pattern of valid scores that `causal` and `window` do not express.
 */
export const coarseMaxAttentionKnownMask = defineProtocol({
  ...coarseMaxAttention,
  name: "coarse-max.attention-known-mask",
  forms: ["masked", "masked", "masked", "public"],
  // Without the comparison of forms for the other one.
  run: runAttention,
  refuses: (spec) => (spec.operands.length < 4 ? "it has no mask" : coarseMaxAttention.refuses?.(spec)),
});
