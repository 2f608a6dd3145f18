import type { MaskedValue, Share } from "../../core/index.ts";
import { add } from "../../ring/index.ts";
import { defineProtocol, entryAt, maskedWidth, narrowMasked, type Spec } from "../kit/index.ts";
import { negateBit } from "./boolean-shares.ts";
import { belowThresholds, comparisonOf, comparisonRefusal, comparisonVariants } from "./comparison.ts";

/**
 * Ring in which the operand is opened: that of its masked value, and `headroom` bits more. A value up to 2^headroom
 * times its bounds does not wrap in it, and is told exactly.
 */
const widthOf = ({ operands: [x], attrs }: Spec): number => maskedWidth(x!) + Number(attrs.headroom);

/** The bounds as raw integers. */
const boundsOf = ({ operands: [x], attrs }: Spec): readonly [least: number, most: number] => [
  Math.ceil(Number(attrs.lo) * 2 ** x!.scale),
  Math.floor(Number(attrs.hi) * 2 ** x!.scale),
];

/**
 * Whether x lies outside of public bounds: 1 ⊕ 1{x < lo} ⊕ 1{x < hi + 1}, since the second is 1 wherever the first is.
 * Both thresholds share the opening of x and what the dealer hands out for it. 1 round with digit tables, 0 with a point
 * function.
 */
export const thresholdOutside = defineProtocol({
  name: "threshold.outside",
  implements: "outside",
  settings: ["2pc-dealer", "3pc"],
  security: "semi-honest",
  paper: "ours: docs/protocols/range-check.md",
  accuracy: "exact",
  forms: ["masked"],
  yields: "share",
  operandWidths: (spec) => [widthOf(spec)],
  maxResultWidth: () => 1,
  refuses: (spec) => {
    const [least, most] = boundsOf(spec);
    if (least > most) return "no value lies between its bounds";
    // x − t must stay in the signed range of the ring: |x| < 2^(n−2) leaves as much for the threshold.
    const limit = 2 ** (widthOf(spec) - 2);
    if (least < -limit || most + 1 > limit) return "its bounds are wider than the ring of its operand";
    return comparisonRefusal(widthOf(spec), comparisonOf(spec));
  },
  variants: (spec) => comparisonVariants(widthOf(spec)),
  *run(party, spec, x) {
    const masked = narrowMasked(x as MaskedValue, widthOf(spec));
    const [least, most] = boundsOf(spec);
    const below = yield* belowThresholds(party, masked, [least, most + 1], comparisonOf(spec));
    const inside = add(entryAt(below, 0), entryAt(below, 1));
    return { kind: "share", tensor: negateBit(party, inside) } satisfies Share;
  },
});
