import type { MaskedValue, Share } from "../../core/index.ts";
import { add, addConstant, mulConstant } from "../../ring/index.ts";
import { maskAndOpen } from "../boundary/index.ts";
import { belowThresholds, comparisonOf, comparisonRefusal, comparisonVariants } from "../comparison/index.ts";
import {
  defineProtocol,
  entryAt,
  maskedWidth,
  narrowMasked,
  publicShare,
  rescale,
  selectMasked,
  widthBeforeRescale,
} from "../kit/index.ts";

/**
 * max(x, 0) from a masked value: its sign, then the value where it is not negative (protocols.md 1.3). Exact at equal
 * scales. Rounds of the comparison (1 for digits) plus one.
 */
export const maskedRelu = defineProtocol({
  name: "masked.relu",
  implements: "relu",
  settings: ["2pc-dealer", "3pc"],
  security: "semi-honest",
  paper: "ours: docs/protocols/digit-comparison.md",
  accuracy: { ulps: ({ operands: [x], result }) => (x!.scale > result.scale ? 1 : 0) },
  forms: ["masked"],
  yields: "share",
  operandWidths: ({ operands: [x] }) => [maskedWidth(x!)],
  refuses: (spec) => comparisonRefusal(maskedWidth(spec.operands[0]!), comparisonOf(spec)),
  variants: ({ operands: [x] }) => comparisonVariants(maskedWidth(x!)),
  *run(party, spec, x) {
    const by = spec.operands[0]!.scale - spec.result.scale;
    const narrow = narrowMasked(x as MaskedValue, maskedWidth(spec.operands[0]!));
    const negative = entryAt(yield* belowThresholds(party, narrow, [0], comparisonOf(spec)), 0);
    const one = addConstant(mulConstant(negative, 0), 1);
    const positive = yield* maskAndOpen(party, add(negative, publicShare(party, one)));
    const selected = selectMasked(party, positive, x as MaskedValue, widthBeforeRescale(spec.result.width, by));
    return { kind: "share", tensor: rescale(selected, by) } satisfies Share;
  },
});
