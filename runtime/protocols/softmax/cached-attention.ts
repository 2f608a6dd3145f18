import type { MaskedValue } from "../../core/index.ts";
import { concatMasked, defineProtocol, type Fixed, type Spec, ulpsOf } from "../kit/index.ts";
import { coarseMaxAttention } from "./attention.ts";

/** Places lie along this axis of what is kept: keys and values [batch, heads, places, depth]. */
export const sequenceAxis = 2;

/** What the whole of two parts is: their places together, in bounds that hold both. */
const concatFixed = (past: Fixed, next: Fixed): Fixed => ({
  ...next,
  shape: next.shape.with(sequenceAxis, past.shape[sequenceAxis]! + next.shape[sequenceAxis]!),
  lo: Math.min(past.lo, next.lo),
  hi: Math.max(past.hi, next.hi),
});

/** The attention over all places that an execution amounts to. */
function uncachedSpec(spec: Spec): Spec {
  const [q, k, v, pastK, pastV] = spec.operands as readonly [Fixed, Fixed, Fixed, Fixed, Fixed];
  return { ...spec, operands: [q, concatFixed(pastK, k), concatFixed(pastV, v)] };
}

const { settings, security, paper, exactRings, maxResultWidth: widest, refuses, variants } = coarseMaxAttention;

/**
 * Attention with keys and values of earlier places kept as wires: what was opened then stays public, and its masks stay
 * the dealer's secret, so only the new places' q, k and v cross the network (protocols.md 1.1, KV cache). A mask is
 * opened under once and multiplied many times, each time with fresh shares of its products (docs/protocols/attention.md).
 * The spec declares the most places of the past; as many as there are take part.
 */
export const coarseMaxCachedAttention = defineProtocol({
  name: "coarse-max.cached-attention",
  implements: "cached-attention",
  settings,
  security,
  paper,
  accuracy: { ulps: (spec) => ulpsOf(coarseMaxAttention, uncachedSpec(spec)) },
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
