import type { Share } from "../../core/index.ts";
import { defineProtocol, type Spec, scaleIntoRing } from "../kit/index.ts";

const liftOf = ({ operands: [x], result }: Spec): number => result.scale - x!.scale;

/**
 * Casts to another element type: the same integer, with more fractional bits if requested. A cast from a Boolean to a
 * number asks for a wider ring of the Boolean, and 5-select has it opened and extended. Free.
 */
export const localCast = defineProtocol({
  name: "local.cast",
  implements: "cast",
  settings: ["2pc-dealer", "3pc", "2pc"],
  security: "semi-honest",
  paper: "linear",
  accuracy: "exact",
  forms: ["share"],
  yields: "share",
  operandWidths: (spec) => [Math.max(1, spec.result.width - liftOf(spec))],
  refuses: (spec) => {
    if (liftOf(spec) < 0) return "it cannot drop fractional bits";
    return spec.attrs.to === "f32" || spec.operands[0]!.scale === 0 ? undefined : "it cannot round to integers";
  },
  *run(_party, spec, x) {
    return {
      kind: "share",
      tensor: scaleIntoRing((x as Share).tensor, liftOf(spec), spec.result.width),
    } satisfies Share;
  },
});
