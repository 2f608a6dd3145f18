import type { Share, Wire } from "../../core/index.ts";
import { add, addConstant, mulConstant } from "../../ring/index.ts";
import { openWire } from "../boundary/index.ts";
import { below, comparisonOf, comparisonVariants, tooWide } from "../comparison/index.ts";
import { at, defineProtocol, narrowed, publicShare, rescale, rescaledFrom, select, wireWidth } from "../kit/index.ts";

/**
 * max(x, 0) from an open wire: its sign, then the wire where it is not negative (protocols.md 1.3). Exact at equal scales.
 * Rounds of the comparison, 1 for digits, and one.
 */
export const maskedRelu = defineProtocol({
  name: "masked.relu",
  implements: "relu",
  settings: ["2pc-dealer", "3pc"],
  security: "semi-honest",
  paper: "ours: docs/protocols/digit-comparison.md",
  accuracy: { ulps: ({ operands: [x], result }) => (x!.scale > result.scale ? 1 : 0) },
  forms: ["wire"],
  yields: "share",
  operandWidths: ({ operands: [x] }) => [wireWidth(x!)],
  refuses: (spec) => tooWide(wireWidth(spec.operands[0]!), comparisonOf(spec)),
  variants: ({ operands: [x] }) => comparisonVariants(wireWidth(x!)),
  *run(party, spec, x) {
    const by = spec.operands[0]!.scale - spec.result.scale;
    const narrow = narrowed(x as Wire, wireWidth(spec.operands[0]!));
    const negative = at(yield* below(party, narrow, [0], comparisonOf(spec)), 0);
    const one = addConstant(mulConstant(negative, 0), 1);
    const positive = yield* openWire(party, add(negative, publicShare(party, one)));
    const kept = select(party, positive, x as Wire, rescaledFrom(spec.result.width, by));
    return { kind: "share", tensor: rescale(kept, by) } satisfies Share;
  },
});
