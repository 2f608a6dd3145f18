import type { Share, Wire } from "../../core/index.ts";
import { addConstant, mulConstant, reduceSum, sub } from "../../ring/index.ts";
import { openWire } from "../boundary/index.ts";
import {
  at,
  bitToRing,
  defineProtocol,
  lift,
  narrowed,
  type Protocol,
  type Spec,
  select,
  wireWidth,
} from "../kit/index.ts";
import { below, comparisonOf, comparisonVariants, tooWide } from "./comparison.ts";
import { unequalScales } from "./truths.ts";

const shared = {
  settings: ["2pc-dealer", "3pc"],
  security: "semi-honest",
  paper: "ours: docs/protocols/ordering.md",
  accuracy: "exact",
  forms: ["wire"],
  yields: "share",
  operandWidths: ({ operands: [x] }: Spec) => [wireWidth(x!)],
  variants: ({ operands: [x] }: Spec) => comparisonVariants(wireWidth(x!)),
} as const satisfies Partial<Protocol>;

const widthRefused = (spec: Spec): string | undefined => tooWide(wireWidth(spec.operands[0]!), comparisonOf(spec));

/** |x| = x − 2x·1{x < 0}. 2 rounds with digit tables. */
export const maskedAbs = defineProtocol({
  ...shared,
  name: "masked.abs",
  implements: "abs",
  refuses: (spec) => unequalScales(...spec.operands, spec.result) ?? widthRefused(spec),
  *run(party, spec, x) {
    const wire = narrowed(x as Wire, wireWidth(spec.operands[0]!));
    const { width } = spec.result;
    const negative = yield* openWire(party, at(yield* below(party, wire, [0], comparisonOf(spec)), 0));
    const own = lift(party, wire, width);
    const under = select(party, negative, wire, width, own);
    return { kind: "share", tensor: sub(own, mulConstant(under, 2)) } satisfies Share;
  },
});

/** −1, 0 or 1: 1 − 1{x < 0} − 1{x < 1}. 2 rounds with digit tables. */
export const thresholdSign = defineProtocol({
  ...shared,
  name: "threshold.sign",
  implements: "sign",
  refuses: (spec) => (spec.result.scale === 0 ? widthRefused(spec) : "its result is a whole number"),
  *run(party, spec, x) {
    const wire = narrowed(x as Wire, wireWidth(spec.operands[0]!));
    const bits = yield* openWire(party, yield* below(party, wire, [0, 1], comparisonOf(spec)));
    const held = mulConstant(reduceSum(bitToRing(party, bits, spec.result.width), [0], false), -1);
    // The constant belongs to one share.
    return { kind: "share", tensor: party.role === "client" ? held : addConstant(held, 1) } satisfies Share;
  },
});
