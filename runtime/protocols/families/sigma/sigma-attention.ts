import type { MaskedValue, Party, Share, Steps } from "../../../core/index.ts";
import { gatherFlat, mulConstant, type RingTensor, reshape, transpose } from "../../../ring/index.ts";
import { maskAndOpen } from "../../boundary/index.ts";
import { defineProtocol, mapMasked, matmulMasked, type Protocol, type Spec } from "../../kit/index.ts";
import { maskPatternOf, type ScoreLayout, scatterScores, scoreLayout } from "../../softmax/index.ts";
import { truncateFloor, withShippedMask } from "./sigma-core.ts";
import { probabilities } from "./sigma-softmax.ts";

/** Fractional bits of the public factor on scores, where it is not a power of two. */
const factorBits = 12;

interface SigmaAttentionPlan {
  readonly layout: ScoreLayout;
  readonly groups: number;
  /**
   * The factor on scores: removed by the shift of their truncation if it is a power of two, multiplied first otherwise.
   */
  readonly factor: number;
  readonly scoreShift: number;
}

function planOf(spec: Spec): SigmaAttentionPlan {
  const {
    operands: [q, k],
    result,
    attrs,
  } = spec;
  const [batch, heads, positions] = q!.shape as [number, number, number];
  const [, groups, columns] = k!.shape as [number, number, number];
  const scale = Number(attrs.scale);
  const shift = Math.log2(scale);
  const whole = Number.isInteger(shift);
  return {
    layout: scoreLayout(batch * heads * positions, positions, columns, maskPatternOf(spec)),
    groups,
    factor: whole ? 1 : Math.round(scale * 2 ** factorBits),
    scoreShift: q!.scale + k!.scale - result.scale + (whole ? -shift : factorBits),
  };
}

/**
 * softmax(scale·q·kᵀ)·v as SIGMA computes it: products of masked values, opened and truncated by TrFloor. For causal
 * scores only the lower triangle, packed.
 */
function* sigmaMaskedAttention(party: Party, spec: Spec, q: MaskedValue, k: MaskedValue, v: MaskedValue): Steps<Share> {
  const { layout, groups, factor, scoreShift } = planOf(spec);
  const { width } = spec.result;
  const [batch, heads, positions, depth] = q.opened.shape as [number, number, number, number];
  const [columns, valueDepth] = [k.opened.shape[2]!, v.opened.shape[3]!];
  const perGroup = (heads / groups) * positions;
  const grouped = mapMasked(q, (t) => reshape(t, [batch, groups, perGroup, depth]));
  const keep = (t: RingTensor): RingTensor => gatherFlat(t, layout.flat, [layout.flat.length]);
  const turned = mapMasked(k, (t) => transpose(t, [0, 1, 3, 2]));
  const products = matmulMasked(party, withShippedMask(party, grouped), withShippedMask(party, turned), keep);
  const scaled = yield* maskAndOpen(party, factor === 1 ? products : mulConstant(products, factor));
  const scores = yield* maskAndOpen(party, yield* truncateFloor(party, scaled, scoreShift, width));
  const weights = yield* maskAndOpen(party, yield* probabilities(party, scores, spec.result.scale, layout));
  const matrix = mapMasked(weights, (t) => reshape(scatterScores(t, layout), [batch, groups, perGroup, columns]));
  const mixed = matmulMasked(party, withShippedMask(party, matrix), withShippedMask(party, v), (t) => t);
  const total = yield* maskAndOpen(party, reshape(mixed, [batch, heads, positions, valueDepth]));
  return { kind: "share", tensor: yield* truncateFloor(party, total, spec.operands[2]!.scale, width) };
}

export const sigmaAttention = defineProtocol({
  name: "sigma.attention",
  implements: "attention",
  settings: ["2pc-dealer", "3pc"],
  family: "sigma",
  security: "semi-honest",
  paper: "SIGMA, Gupta et al., PoPETs 2024, section 5 and its code (GPU-MPC)",
  // The sum is looked up on 6 fractional bits: an error of 2^−7 of the sum, which is at least 1. The rest is factor
  // rounding.
  accuracy: {
    ulps: ({ operands: [, , v], result }) =>
      2 + 2 ** result.scale * Math.max(Math.abs(v!.lo), Math.abs(v!.hi)) * (2 ** -7 + 2 ** -9),
  },
  forms: ["masked", "masked", "masked"],
  yields: "share",
  exactRings: true,
  operandWidths: ({ result }) => [result.width, result.width, result.width],
  refuses: ({ operands, result }) =>
    operands.length > 3
      ? "it supports no added mask"
      : operands.some(({ scale }) => scale !== result.scale)
        ? "operands and result must have the same scale"
        : undefined,
  *run(party, spec, q, k, v) {
    return yield* sigmaMaskedAttention(party, spec, q as MaskedValue, k as MaskedValue, v as MaskedValue);
  },
} satisfies Protocol);
