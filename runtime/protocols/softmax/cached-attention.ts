import type { Wire } from "../../core/index.ts";
import { defineProtocol, type Fixed, joinWires, type Spec, ulpsOf } from "../kit/index.ts";
import { coarseMaxAttention } from "./attention.ts";

/** Places lie along this axis of what is kept: keys and values [batch, heads, places, depth]. */
export const keptAxis = 2;

/** What the whole of two parts is: their places together, in bounds that hold both. */
const joinedFixed = (past: Fixed, next: Fixed): Fixed => ({
  ...next,
  shape: next.shape.with(keptAxis, past.shape[keptAxis]! + next.shape[keptAxis]!),
  lo: Math.min(past.lo, next.lo),
  hi: Math.max(past.hi, next.hi),
});

/** The attention over all places that an execution amounts to. */
function wholeOf(spec: Spec): Spec {
  const [q, k, v, pastK, pastV] = spec.operands as readonly [Fixed, Fixed, Fixed, Fixed, Fixed];
  return { ...spec, operands: [q, joinedFixed(pastK, k), joinedFixed(pastV, v)] };
}

const { settings, security, paper, exactRings, widest, refuses, variants } = coarseMaxAttention;

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
  accuracy: { ulps: (spec) => ulpsOf(coarseMaxAttention, wholeOf(spec)) },
  forms: ["wire", "wire", "wire", "wire", "wire"],
  yields: "share",
  ...(exactRings && { exactRings }),
  operandWidths: (spec) => {
    const [q, k, v] = coarseMaxAttention.operandWidths(wholeOf(spec)) as readonly [number, number, number];
    return [q, k, v, k, v];
  },
  ...(widest && { widest: (spec: Spec) => widest(wholeOf(spec)) }),
  ...(refuses && { refuses: (spec: Spec) => refuses(wholeOf(spec)) }),
  ...(variants && { variants: (spec: Spec) => variants(wholeOf(spec)) }),
  *run(party, spec, q, k, v, pastK, pastV) {
    const keys = joinWires(pastK as Wire, k as Wire, keptAxis);
    const values = joinWires(pastV as Wire, v as Wire, keptAxis);
    return yield* coarseMaxAttention.run(party, wholeOf(spec), q!, keys, values);
  },
});
