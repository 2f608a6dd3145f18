import type { MaskedValue, Party, Share, Steps } from "../../../core/index.ts";
import {
  addConstant,
  floorLog2,
  mulConstant,
  type RingTensor,
  reduceSum,
  shiftRightRounded,
} from "../../../ring/index.ts";
import { maskAndOpen } from "../../boundary/index.ts";
import {
  defineProtocol,
  liftToRing,
  maskedWidth,
  narrowMasked,
  type Protocol,
  rescale,
  type Spec,
  subMasked,
  sumOfSquares,
} from "../../kit/index.ts";
import {
  evaluateByRangeReduction,
  planRangeReduction,
  type RangeReduction,
  rangeReductionRelativeError,
  rangeReductionScale,
  rangeReductionWidth,
} from "../../nonlinear/index.ts";
import { dpfComparison, scaledProduct } from "./sigma-core.ts";

/** Significant bits of the smallest sum of squares that are kept. */
const sumBits = 10;

interface SigmaNormPlan {
  readonly rangeReduction: RangeReduction;
  readonly sumDrop: number;
  readonly inverseDrop: number;
}

function planOf({ operands: [x], result, attrs }: Spec): SigmaNormPlan {
  const n = x!.shape.at(-1)!;
  const slack = Number(attrs.epsilon) * n;
  const lo = Math.max(Number(attrs.sum_lo) + slack, 2 ** -24);
  const hi = Math.max(Number(attrs.sum_hi), lo) + slack;
  const scale = Math.min(2 * x!.scale, Math.max(0, sumBits - floorLog2(lo)));
  const plan = planRangeReduction("rsqrt", lo, hi, scale, Math.sqrt(n));
  // The product with x has the scale of both, and must fit the ring with its slack.
  const room = result.width - 2 - floorLog2(Math.sqrt(n)) - 1 - x!.scale;
  return {
    rangeReduction: plan,
    sumDrop: 2 * x!.scale - scale,
    inverseDrop: Math.max(0, rangeReductionScale(plan) - room),
  };
}

/**
 * x·√n/√(Σx² + n·ε) by rows. The elementwise part is SIGMA's: one product of masked values, opened and truncated with
 * slack, (2n + 1) bits each way with the result's opening. SIGMA looks the inverse root of a row up as a 13-bit float;
 * here our range reduction with SIGMA's comparisons computes it, once a row.
 */
function* normalize(party: Party, spec: Spec, x: MaskedValue): Steps<Share> {
  const { rangeReduction: plan, sumDrop, inverseDrop } = planOf(spec);
  const [operand] = spec.operands;
  const n = operand!.shape.at(-1)!;
  const { width } = spec.result;
  const epsilon = Math.round(Number(spec.attrs.epsilon) * n * 2 ** (2 * operand!.scale));
  const squares = sumOfSquares(party, x, rangeReductionWidth(plan) + sumDrop);
  // ε is public: only the server adds it.
  const biased = party.role === "client" ? squares : addConstant(squares, epsilon);
  const rows = yield* maskAndOpen(party, rescale(biased, sumDrop));
  const root: RingTensor = yield* evaluateByRangeReduction(party, rows, plan, width + inverseDrop, dpfComparison);
  const inverse = yield* maskAndOpen(party, rescale(root, inverseDrop));
  const by = operand!.scale + rangeReductionScale(plan) - inverseDrop - spec.result.scale;
  return { kind: "share", tensor: yield* scaledProduct(party, x, inverse, by, width) };
}

/**
 * x minus the mean of its row. The mean is opened under a separate mask, so the difference is a masked value without
 * another opening. 1 round.
 */
function* subtractMean(party: Party, spec: Spec, x: MaskedValue): Steps<MaskedValue> {
  const { shape } = spec.operands[0]!;
  const n = shape.at(-1)!;
  const bits = floorLog2(n) + 14;
  // The mean is no larger than x: both fit the ring that x needs, if its sum has room for the factor's bits.
  const least = narrowMasked(x, Math.min(maskedWidth(spec.operands[0]!) + 1, 64 - bits));
  const { width } = least.opened;
  const sum = reduceSum(liftToRing(party, least, width + bits), [shape.length - 1], true);
  const mean = shiftRightRounded(mulConstant(sum, Math.round(2 ** bits / n)), bits);
  return subMasked(least, yield* maskAndOpen(party, mean));
}

const shared = {
  settings: ["2pc-dealer", "3pc"],
  family: "sigma",
  security: "semi-honest",
  paper: "SIGMA, Gupta et al., PoPETs 2024, section 5; inverse roots: docs/protocols/exponent-range-reduction.md",
  // The relative error of the inverse root, one unit for the mean, and the dropped low bits of the root.
  accuracy: {
    ulps: (spec) => {
      const { rangeReduction: plan, inverseDrop } = planOf(spec);
      const [x] = spec.operands;
      const n = x!.shape.at(-1)!;
      const most = Math.max(Math.abs(x!.lo), Math.abs(x!.hi));
      const largest = Math.min(Math.sqrt(n), Math.max(Math.abs(spec.result.lo), Math.abs(spec.result.hi)));
      const deviation = Math.sqrt(Number(spec.attrs.sum_lo) / n + Number(spec.attrs.epsilon));
      const dropped = most * 2 ** (inverseDrop - rangeReductionScale(plan));
      const mean = (2 ** -x!.scale + most * 2 ** -14) / deviation;
      return (
        2 + (largest * (rangeReductionRelativeError(plan) + 2 ** -sumBits) + dropped + mean) * 2 ** spec.result.scale
      );
    },
  },
  forms: ["masked"],
  yields: "share",
  operandWidths: ({ operands: [x], result }) => [Math.max(maskedWidth(x!) + 1, result.width)],
} as const satisfies Partial<Protocol>;

export const sigmaRmsNorm = defineProtocol({
  ...shared,
  name: "sigma.rms-norm",
  implements: "rms-norm",
  *run(party, spec, x) {
    return yield* normalize(party, spec, x as MaskedValue);
  },
});

export const sigmaLayerNorm = defineProtocol({
  ...shared,
  name: "sigma.layer-norm",
  implements: "layer-norm",
  *run(party, spec, x) {
    return yield* normalize(party, spec, yield* subtractMean(party, spec, x as MaskedValue));
  },
});
