import type { MaskedValue, Share } from "../../core/index.ts";
import { addConstant, mulConstant, reduceSum, sub } from "../../ring/index.ts";
import { maskAndOpen } from "../boundary/index.ts";
import {
  bitToRing,
  defineProtocol,
  entryAt,
  liftToRing,
  maskedWidth,
  narrowMasked,
  type Protocol,
  type Spec,
  selectMasked,
} from "../kit/index.ts";
import { scaleMismatch } from "./boolean-shares.ts";
import { belowThresholds, comparisonOf, comparisonRefusal, comparisonVariants } from "./comparison.ts";

const shared = {
  settings: ["2pc-dealer", "3pc"],
  security: "semi-honest",
  paper: "ours: docs/protocols/ordering.md",
  accuracy: "exact",
  forms: ["masked"],
  yields: "share",
  operandWidths: ({ operands: [x] }: Spec) => [maskedWidth(x!)],
  variants: ({ operands: [x] }: Spec) => comparisonVariants(maskedWidth(x!)),
} as const satisfies Partial<Protocol>;

const widthRefused = (spec: Spec): string | undefined =>
  comparisonRefusal(maskedWidth(spec.operands[0]!), comparisonOf(spec));

/** |x| = x − 2x·1{x < 0}. 2 rounds with digit tables. */
export const maskedAbs = defineProtocol({
  ...shared,
  name: "masked.abs",
  implements: "abs",
  refuses: (spec) => scaleMismatch(...spec.operands, spec.result) ?? widthRefused(spec),
  *run(party, spec, x) {
    const masked = narrowMasked(x as MaskedValue, maskedWidth(spec.operands[0]!));
    const { width } = spec.result;
    const negative = yield* maskAndOpen(
      party,
      entryAt(yield* belowThresholds(party, masked, [0], comparisonOf(spec)), 0),
    );
    const own = liftToRing(party, masked, width);
    const under = selectMasked(party, negative, masked, width, own);
    return { kind: "share", tensor: sub(own, mulConstant(under, 2)) } satisfies Share;
  },
});

/** −1, 0 or 1: 1 − 1{x < 0} − 1{x < 1}. 2 rounds with digit tables. */
export const thresholdSign = defineProtocol({
  ...shared,
  name: "threshold.sign",
  implements: "sign",
  refuses: (spec) => (spec.result.scale === 0 ? widthRefused(spec) : "its result is an integer"),
  *run(party, spec, x) {
    const masked = narrowMasked(x as MaskedValue, maskedWidth(spec.operands[0]!));
    const bits = yield* maskAndOpen(party, yield* belowThresholds(party, masked, [0, 1], comparisonOf(spec)));
    const held = mulConstant(reduceSum(bitToRing(party, bits, spec.result.width), [0], false), -1);
    // Only one share gets the constant.
    return { kind: "share", tensor: party.role === "client" ? held : addConstant(held, 1) } satisfies Share;
  },
});
