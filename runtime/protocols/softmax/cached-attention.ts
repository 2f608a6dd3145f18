import type { MaskedValue } from "../../core/index.ts";
import { concatMasked, defineProtocol, type Fixed, type Spec, ulpsOf } from "../kit/index.ts";
import { coarseMaxAttention } from "./attention.ts";

/** The sequence axis of cached keys and values [batch, heads, positions, depth]. */
export const sequenceAxis = 2;

/** Concatenation of two parts: all positions, with bounds that hold both. */
const concatFixed = (past: Fixed, next: Fixed): Fixed => ({
  ...next,
  shape: next.shape.with(sequenceAxis, past.shape[sequenceAxis]! + next.shape[sequenceAxis]!),
  lo: Math.min(past.lo, next.lo),
  hi: Math.max(past.hi, next.hi),
});

/** The spec of the equivalent attention over all positions. */
function uncachedSpec(spec: Spec): Spec {
  const [q, k, v, pastK, pastV] = spec.operands as readonly [Fixed, Fixed, Fixed, Fixed, Fixed];
  return { ...spec, operands: [q, concatFixed(pastK, k), concatFixed(pastV, v)] };
}

const { settings, security, paper, exactRings, maxResultWidth: widest, refuses, variants } = coarseMaxAttention;

/**
 * Attention with the keys and values of earlier positions cached as masked values. Their opened tensors stay public and
 * their masks stay with the dealer, so only q, k and v of the new positions are sent (protocols.md 1.1, KV cache). A
 * mask opens one value once and is multiplied many times, each time with fresh shares of its products
 * (docs/protocols/attention.md). The spec declares the most past positions; those that exist take part.
 */
export const coarseMaxCachedAttention = defineProtocol({
  name: "coarse-max.cached-attention",
  implements: "cached-attention",
  settings,
  security,
  paper,
  accuracy: { ulps: (spec, seen = spec) => ulpsOf(coarseMaxAttention, uncachedSpec(spec), uncachedSpec(seen)) },
  forms: ["masked", "masked", "masked", "masked", "masked"],
  yields: "share",
  ...(exactRings && { exactRings }),
  operandWidths: (spec) => {
    const [q, k, v] = coarseMaxAttention.operandWidths(uncachedSpec(spec)) as readonly [number, number, number];
    return [q, k, v, k, v];
  },
  ...(widest && { maxResultWidth: (spec: Spec) => widest(uncachedSpec(spec)) }),
  ...(refuses && { refuses: (spec: Spec) => refuses(uncachedSpec(spec)) }),
  ...(variants && { variants: (spec: Spec) => variants(uncachedSpec(spec)) }),
  *run(party, spec, q, k, v, pastK, pastV) {
    const keys = concatMasked(pastK as MaskedValue, k as MaskedValue, sequenceAxis);
    const values = concatMasked(pastV as MaskedValue, v as MaskedValue, sequenceAxis);
    return yield* coarseMaxAttention.run(party, uncachedSpec(spec), q!, keys, values);
  },
});
