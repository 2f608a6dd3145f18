import type { Party, Share, Steps } from "../../core/index.ts";
import { mulConstant, reshape, shiftRightRounded, sizeOf } from "../../ring/index.ts";
import { comparisonOf, comparisonRefusal } from "../comparison/index.ts";
import { defineProtocol, mapMasked, multiplyMasked, rescale, type Spec, widthBeforeRescale } from "../kit/index.ts";
import { rangeReductionScale } from "../nonlinear/index.ts";
import { rowCount } from "../ordering/index.ts";
import {
  expWidth,
  inverseSums,
  type MaximumMethod,
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
  unmasked,
} from "./softmax-core.ts";

const boundOf = (spec: Spec): number => {
  const x = spec.operands[0]!;
  return Math.max(Math.abs(x.lo), Math.abs(x.hi)) * Math.LOG2E;
};
const bitsOf = (spec: Spec): number => scoreBitsFor(spec.result.scale, boundOf(spec));
/** log2 e, which turns scores into base-2 units, has as many fractional bits as the scores then have. */
const shiftOf = ({ operands: [x] }: Spec): number => x!.scale;

const layoutOf = (spec: Spec): ScoreLayout => {
  const { shape } = spec.operands[0]!;
  const columns = shape[shape.length - 1]!;
  const count = sizeOf(shape) / columns;
  return scoreLayout(count, count, columns, unmasked);
};
/** Excess low bits of the product of an exponential and the sum's inverse. */
const dropOf = (spec: Spec): number => {
  const bits = bitsOf(spec);
  return bits + rangeReductionScale(sumPlan(layoutOf(spec), bits)) - spec.result.scale;
};

const scoreWidthOf = (spec: Spec): number => scoreWidth(boundOf(spec), bitsOf(spec));
const comparedOf = (spec: Spec): number => maxComparedWidth(layoutOf(spec), scoreWidthOf(spec), bitsOf(spec));
const methodOf = (spec: Spec): MaximumMethod => maximumOf(spec, boundOf(spec), bitsOf(spec));

/**
 * Half the distance from the maximum, in base-2 units, beyond which an exponential is 0: errors of masked scores do not
 * matter.
 */
const significantRange = 8.5;

/** Worst relative error of an exponential from the rounding of log2 e and of the score. */
const scoreError = (spec: Spec): number => {
  const unit = 2 ** bitsOf(spec);
  const factor = Math.round(Math.LOG2E * unit) / unit;
  return (
    Math.LN2 * (2 ** -bitsOf(spec) + Math.min(boundOf(spec), significantRange) * Math.abs(1 - factor / Math.LOG2E))
  );
};

function* softmaxRows(party: Party, spec: Spec, x: Share): Steps<Share> {
  const { shape } = x.tensor;
  const layout = layoutOf(spec);
  const count = rowCount(layout.rows);
  const scaled = shiftRightRounded(mulConstant(x.tensor, Math.round(Math.LOG2E * 2 ** bitsOf(spec))), shiftOf(spec));
  const comparison = comparisonOf(spec);
  const scores = reshape(scaled, [sizeOf(shape)]);
  const { weights, sums } = yield* scoreExponentials(
    party,
    scores,
    layout,
    expWidth(layout, bitsOf(spec)),
    methodOf(spec),
    comparison,
  );
  const inverse = yield* inverseSums(party, sums, layout, bitsOf(spec), comparison);
  const by = dropOf(spec);
  const product = multiplyMasked(
    party,
    mapMasked(weights, (t) => scatterScores(t, layout)),
    mapMasked(inverse, (t) => reshape(t, [count, 1])),
    widthBeforeRescale(spec.result.width, by),
  );
  return { kind: "share", tensor: reshape(rescale(product, by), shape) };
}

/** Softmax over the last axis outside of a fused attention. 3·⌈log4 n⌉ + 7 rounds. */
export const coarseMaxSoftmax = defineProtocol({
  name: "coarse-max.softmax",
  implements: "softmax",
  settings: ["2pc-dealer", "3pc"],
  security: "semi-honest",
  paper: "ours: docs/protocols/attention.md",
  // An exponent may be off by `scoreError`, which changes a probability by half of that. The rounding of exponentials,
  // of their sum and of its inverse is below 4 of their units, as the test measures.
  accuracy: { ulps: (spec) => 2 + 2 ** spec.result.scale * (2 ** (2 - bitsOf(spec)) + scoreError(spec) / 2) },
  forms: ["share"],
  yields: "share",
  operandWidths: (spec) => [scoreWidthOf(spec) + shiftOf(spec)],
  maxResultWidth: (spec) => 64 - Math.max(0, dropOf(spec)),
  refuses: (spec) => {
    const axis = Number(spec.attrs.axis);
    if (axis !== -1 && axis !== spec.operands[0]!.shape.length - 1)
      return "it supports softmax over the last axis only: transpose before";
    const why = comparisonRefusal(comparedOf(spec), comparisonOf(spec));
    if (why) return why;
    const uncounted = maximumRefusal(methodOf(spec));
    if (uncounted) return uncounted;
    if (scoreWidthOf(spec) + shiftOf(spec) > 64) return "its scores do not fit a ring of 64 bits";
    const width = widthBeforeRescale(spec.result.width, dropOf(spec));
    return width > 64 ? `the product needs a ring of ${width} bits, at most 64 are supported` : undefined;
  },
  variants: (spec) => scoreVariants(comparedOf(spec), methodOf(spec)),
  *run(party, spec, x) {
    return yield* softmaxRows(party, spec, x as Share);
  },
});
