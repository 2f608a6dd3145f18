import type { MaskedValue, Party, Share, Steps } from "../../core/index.ts";
import {
  addConstant,
  floorLog2,
  mulConstant,
  narrow,
  powerOfTwo,
  reduceSum,
  shiftRightRounded,
} from "../../ring/index.ts";
import { maskAndOpen } from "../boundary/index.ts";
import { comparisonOf, comparisonVariants } from "../comparison/index.ts";
import {
  defineProtocol,
  liftToRing,
  maskedWidth,
  maxMagnitude,
  multiplyMasked,
  type Protocol,
  rescale,
  type Spec,
  subMasked,
  sumOfSquares,
  widthBeforeRescale,
} from "../kit/index.ts";
import {
  evaluateByRangeReduction,
  mantissaBitsFor,
  planRangeReduction,
  type RangeReduction,
  rangeReductionRefusal,
  rangeReductionRelativeError,
  rangeReductionResultWidth,
  rangeReductionScale,
  rangeReductionWidth,
} from "./exponent-range-reduction.ts";

interface NormPlan {
  readonly rangeReduction: RangeReduction;
  /** Ring of the sum of squares. */
  readonly sumWidth: number;
  /** Low bits dropped from the sum, and from the inverse root, before they are opened. */
  readonly sumDrop: number;
  readonly inverseDrop: number;
  readonly inverseScale: number;
  /** Low bits dropped from the product. */
  readonly productDrop: number;
}

/** Significant bits of the smallest sum of squares that are kept: ten, or two fewer than the result has. */
const sumBitsFor = ({ result }: Spec): number => Math.max(10, result.scale - 2);

/**
 * Plans √n/√(Σx² + n·ε) for rows of n, with public bounds sum_lo ≤ Σx² ≤ sum_hi (calibrated on public inputs). The
 * inverse root keeps as many fractional bits as fit 64 bits in the product with x.
 */
function planNorm(spec: Spec): NormPlan {
  const x = spec.operands[0]!;
  const n = x.shape[x.shape.length - 1]!;
  const { lo, hi } = sumBounds(spec);
  const scale = Math.min(2 * x.scale, Math.max(0, sumBitsFor(spec) - floorLog2(lo)));
  const plan = planRangeReduction("rsqrt", lo, hi, scale, Math.sqrt(n), mantissaBitsFor(spec.result.scale));
  const sumDrop = 2 * x.scale - scale;
  const { result } = spec;
  const fullScale = rangeReductionScale(plan);
  const inverseDrop = Math.max(0, result.width + x.scale + fullScale - result.scale - 64);
  const inverseScale = fullScale - inverseDrop;
  return {
    rangeReduction: plan,
    sumWidth: rangeReductionWidth(plan) + sumDrop,
    sumDrop,
    inverseDrop,
    inverseScale,
    productDrop: x.scale + inverseScale - result.scale,
  };
}

/** Bounds of Σx² + n·ε. */
function sumBounds(spec: Spec): { readonly lo: number; readonly hi: number } {
  const n = rowLength(spec);
  const slack = Number(spec.attrs.epsilon) * n;
  const lo = Math.max(Number(spec.attrs.sum_lo) + slack, 2 ** -24);
  return { lo, hi: Math.max(Number(spec.attrs.sum_hi), lo) + slack };
}

const rowLength = ({ operands: [x] }: Spec): number => x!.shape[x!.shape.length - 1]!;
/** The inverse root's error times the result, and the rounding of the inverse root times x. */
function normUlps(spec: Spec, seen: Spec = spec): number {
  const plan = planNorm(spec);
  const { lo } = sumBounds(seen);
  const sum = plan.sumDrop > 0 ? powerOfTwo(-plan.rangeReduction.scale) / lo / 2 : 0;
  const largest = Math.min(Math.sqrt(rowLength(spec)), maxMagnitude(seen.result));
  const inverse = plan.inverseDrop > 0 ? powerOfTwo(-plan.inverseScale) : 0;
  const error =
    largest * (rangeReductionRelativeError(plan.rangeReduction) + sum) + maxMagnitude(seen.operands[0]!) * inverse;
  return 1 + error * 2 ** spec.result.scale;
}

/** x·√n/√(Σx² + n·ε) over the last axis, from one opening of x (protocols.md 1.8). 4 rounds, 3 with point functions. */
function* normalize(party: Party, spec: Spec, x: MaskedValue): Steps<Share> {
  const plan = planNorm(spec);
  const operand = spec.operands[0]!;
  const n = operand.shape[operand.shape.length - 1]!;
  const epsilon = Math.round(Number(spec.attrs.epsilon) * n * 2 ** (2 * operand.scale));
  const squares = sumOfSquares(party, x, plan.sumWidth);
  // ε is public: only the server adds it.
  const biased = party.role === "client" ? squares : addConstant(squares, epsilon);
  const rows = yield* maskAndOpen(party, rescale(biased, plan.sumDrop));
  const full = yield* evaluateByRangeReduction(
    party,
    rows,
    plan.rangeReduction,
    rangeReductionResultWidth(plan.rangeReduction),
    comparisonOf(spec),
  );
  const inverse = yield* maskAndOpen(party, rescale(full, plan.inverseDrop));
  const product = multiplyMasked(party, x, inverse, widthBeforeRescale(spec.result.width, plan.productDrop));
  return { kind: "share", tensor: rescale(product, plan.productDrop) };
}

const normDefaults = {
  settings: ["2pc-dealer", "3pc"],
  security: "semi-honest",
  forms: ["masked"],
  yields: "share",
  accuracy: { ulps: normUlps },
  operandWidths: ({ operands: [x] }) => [maskedWidth(x!)],
  maxResultWidth: (spec) => {
    // In a full ring planNorm would drop all bits of the inverse root: it must keep twelve, or all if it has fewer.
    const { rangeReduction: plan } = planNorm(spec);
    return 64 - Math.max(0, spec.operands[0]!.scale + Math.min(12, rangeReductionScale(plan)) - spec.result.scale);
  },
  refuses: (spec) => {
    const plan = planNorm(spec);
    if (plan.sumWidth > 64) return `the sum of squares needs a ring of ${plan.sumWidth} bits, at most 64 are supported`;
    if (plan.inverseScale < 4)
      return `the result's ring of ${spec.result.width} bits leaves no room for the inverse root`;
    const { lo, hi } = sumBounds(spec);
    return rangeReductionRefusal(lo, hi, plan.rangeReduction.scale, comparisonOf(spec));
  },
  variants: (spec) => comparisonVariants(rangeReductionWidth(planNorm(spec).rangeReduction)),
} as const satisfies Partial<Protocol>;

export const oneOpeningRmsNorm = defineProtocol({
  ...normDefaults,
  name: "one-opening.rms-norm",
  implements: "rms-norm",
  paper: "ours: docs/protocols/norm.md",
  *run(party, spec, x) {
    return yield* normalize(party, spec, x as MaskedValue);
  },
});

/** Fractional bits of 1/n, such that the rounding is below 2^−14 of the mean for every n. */
const meanBits = (n: number): number => floorLog2(n) + 14;

/** The mean is opened under a fresh mask, so x − mean is a masked value without another opening. 5 rounds. */
export const oneOpeningLayerNorm = defineProtocol({
  ...normDefaults,
  name: "one-opening.layer-norm",
  implements: "layer-norm",
  paper: "ours: docs/protocols/norm.md",
  operandWidths: ({ operands: [x] }) => [maskedWidth(x!) + 1],
  // The mean is off by one unit of x and by its factor's rounding; the deviation is at least √(sum_lo/n + ε).
  accuracy: {
    ulps: (spec, seen = spec) => {
      const x = spec.operands[0]!;
      const n = rowLength(spec);
      const factor = Math.abs((n * Math.round(2 ** meanBits(n) / n)) / 2 ** meanBits(n) - 1);
      const mean = 2 ** -x.scale + maxMagnitude(seen.operands[0]!) * factor;
      return normUlps(spec, seen) + (mean / Math.sqrt(sumBounds(seen).lo / n)) * 2 ** spec.result.scale;
    },
  },
  *run(party, spec, x) {
    const masked = x as MaskedValue;
    const { shape } = spec.operands[0]!;
    const n = shape[shape.length - 1]!;
    const factorBits = meanBits(n);
    // Σx·round(2^b/n) / 2^b in a ring that holds it: |Σx/n| is below x's own bound.
    const width = Math.min(64, masked.opened.width + factorBits);
    const sum = reduceSum(liftToRing(party, masked, width), [shape.length - 1], true);
    const mean = shiftRightRounded(mulConstant(sum, Math.round(2 ** factorBits / n)), factorBits);
    const centre = yield* maskAndOpen(party, narrow(mean, masked.opened.width));
    return yield* normalize(party, spec, subMasked(masked, centre));
  },
});
