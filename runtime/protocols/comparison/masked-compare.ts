import type { MaskedValue, Party, Share, Steps } from "../../core/index.ts";
import { expand, fromIntegers, type IntTensor, type RingTensor, sub } from "../../ring/index.ts";
import { maskAndOpen } from "../boundary/index.ts";
import { defineProtocol, entryAt, mapMasked, narrowMasked, type Protocol, type Spec } from "../kit/index.ts";
import { differenceWidth, negateBit, operandShare, scaleMismatch, widthHolding } from "./boolean-shares.ts";
import { belowThresholds, comparisonOf, comparisonRefusal, comparisonVariants } from "./comparison.ts";
import { isZero, zeroTestRefusal } from "./equality.ts";

/** Each relation as 1{x − y < t} or its complement. */
const orders: Readonly<Record<string, { readonly threshold: 0 | 1; readonly complement: boolean }>> = {
  less: { threshold: 0, complement: false },
  "greater-or-equal": { threshold: 0, complement: true },
  "less-or-equal": { threshold: 1, complement: false },
  greater: { threshold: 1, complement: true },
};

/** The bit of the relation, from the masked value of x − y. 1 round. */
function* relationBit(party: Party, difference: MaskedValue, spec: Spec): Steps<RingTensor> {
  const order = orders[String(spec.attrs.kind)];
  if (!order) return yield* isZero(party, difference);
  const bit = entryAt(yield* belowThresholds(party, difference, [order.threshold], comparisonOf(spec)), 0);
  return order.complement ? negateBit(party, bit) : bit;
}

const shared = {
  implements: "compare",
  settings: ["2pc-dealer", "3pc"],
  security: "semi-honest",
  paper: "ours: docs/protocols/ordering.md",
  accuracy: "exact",
  yields: "share",
  operandWidths: (spec) => spec.operands.map((operand) => widthHolding(differenceWidth(spec), operand)),
  maxResultWidth: () => 1,
  refuses: (spec) =>
    scaleMismatch(...spec.operands) ??
    (spec.attrs.kind === "equal"
      ? zeroTestRefusal(differenceWidth(spec))
      : comparisonRefusal(differenceWidth(spec), comparisonOf(spec))),
  variants: (spec) => (spec.attrs.kind === "equal" ? [] : comparisonVariants(differenceWidth(spec))),
} as const satisfies Partial<Protocol>;

/** The relation of x and y as an XOR-shared bit; it opens their difference. 2 rounds with digit tables. */
export const maskedCompare = defineProtocol({
  ...shared,
  name: "masked.compare",
  forms: ["share", "share"],
  *run(party, spec, x, y) {
    const width = differenceWidth(spec);
    const difference = yield* maskAndOpen(party, sub(operandShare(party, x!, width), operandShare(party, y!, width)));
    return { kind: "share", tensor: yield* relationBit(party, difference, spec) } satisfies Share;
  },
});

/** The relation of a masked value and a public number: all thresholds share the opening. 1 round with digit tables. */
export const thresholdCompare = defineProtocol({
  ...shared,
  name: "threshold.compare",
  forms: ["masked", "public"],
  *run(party, spec, x, y) {
    const width = differenceWidth(spec);
    const masked = mapMasked(narrowMasked(x as MaskedValue, width), (t) => expand(t, spec.result.shape));
    const difference = { ...masked, opened: sub(masked.opened, fromIntegers(y as IntTensor, width)) };
    return { kind: "share", tensor: yield* relationBit(party, difference, spec) } satisfies Share;
  },
});
