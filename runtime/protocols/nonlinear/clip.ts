import type { MaskedValue, Party, Share } from "../../core/index.ts";
import { add, addConstant, concat, mulConstant, type RingTensor, reshape } from "../../ring/index.ts";
import { maskAndOpen } from "../boundary/index.ts";
import {
  belowThresholds,
  comparisonOf,
  comparisonRefusal,
  comparisonVariants,
  negateBit,
  scaleMismatch,
} from "../comparison/index.ts";
import {
  bitToRing,
  defineProtocol,
  entryAt,
  liftToRing,
  mapMasked,
  maskedWidth,
  narrowMasked,
  type Spec,
  selectMasked,
  signedBits,
} from "../kit/index.ts";

/** The bounds as raw integers, if the operand can exceed them. */
function activeBounds({ operands: [x], attrs }: Spec): { readonly lo?: number; readonly hi?: number } {
  const unit = 2 ** x!.scale;
  // Round as the interpreter rounds: a bound between two units becomes the nearer one.
  const [lo, hi] = [Math.round(Number(attrs.lo) * unit), Math.round(Number(attrs.hi) * unit)];
  return { ...(lo > x!.lo * unit && { lo }), ...(hi < x!.hi * unit && { hi }) };
}

/** Ring that holds x − t with slack for each bound t. */
function widthOf(spec: Spec): number {
  const [x] = spec.operands;
  const unit = 2 ** x!.scale;
  const { lo = 0, hi = 0 } = activeBounds(spec);
  return Math.max(maskedWidth(x!), ...[lo, hi].map((t) => signedBits(x!.lo * unit - t, x!.hi * unit - t, 0) + 1));
}

/**
 * Compares one opening with both bounds. With t the upper bound (or the only one), m = 1{lo ≤ x < hi} and b = 1{x <
 * lo},
 *     clip(x) = t + m·(x − t) + (lo − t)·b
 * takes one product with the secret. 2 rounds with digit tables (ours: docs/protocols/ordering.md).
 */
export const thresholdClip = defineProtocol({
  name: "threshold.clip",
  implements: "clip",
  settings: ["2pc-dealer", "3pc"],
  security: "semi-honest",
  paper: "ours: docs/protocols/ordering.md",
  accuracy: "exact",
  forms: ["masked"],
  yields: "share",
  operandWidths: (spec) => [widthOf(spec)],
  refuses: (spec) => {
    if (Number(spec.attrs.lo) > Number(spec.attrs.hi)) return "its bounds are out of order";
    const { lo = 0, hi = 0 } = activeBounds(spec);
    if (!Number.isSafeInteger(lo) || !Number.isSafeInteger(hi)) return "its bounds need more than 53 bits";
    return scaleMismatch(...spec.operands, spec.result) ?? comparisonRefusal(widthOf(spec), comparisonOf(spec));
  },
  variants: (spec) => comparisonVariants(widthOf(spec)),
  *run(party, spec, x) {
    const masked = narrowMasked(x as MaskedValue, widthOf(spec));
    const { lo, hi } = activeBounds(spec);
    const { width } = spec.result;
    const bounds = [lo, hi].filter((bound) => bound !== undefined);
    if (bounds.length === 0) return { kind: "share", tensor: liftToRing(party, masked, width) } satisfies Share;
    const less = yield* belowThresholds(party, masked, bounds, comparisonOf(spec));
    const last = entryAt(less, bounds.length - 1);
    const inside = hi === undefined ? negateBit(party, last) : lo === undefined ? last : add(last, entryAt(less, 0));
    const both = bounds.length === 2;
    const opened = yield* maskAndOpen(
      party,
      concat([inside, ...(both ? [entryAt(less, 0)] : [])].map(withLeadingAxis), 0),
    );
    const withinBounds = mapMasked(opened, (t) => entryAt(t, 0));
    const t = bounds.at(-1)!;
    const beyond = { ...masked, opened: addConstant(masked.opened, -t) };
    const clipped = addPublicNumber(party, selectMasked(party, withinBounds, beyond, width), t);
    if (!both) return { kind: "share", tensor: clipped } satisfies Share;
    const under = bitToRing(
      party,
      mapMasked(opened, (bits) => entryAt(bits, 1)),
      width,
    );
    return { kind: "share", tensor: add(clipped, mulConstant(under, lo! - t)) } satisfies Share;
  },
});

const withLeadingAxis = (t: RingTensor): RingTensor => reshape(t, [1, ...t.shape]);
/** Adds a public number to one share only. */
const addPublicNumber = (party: Party, x: RingTensor, n: number): RingTensor =>
  party.role === "client" ? x : addConstant(x, n);
