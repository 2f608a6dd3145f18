import type { MaskedValue, Share } from "../../core/index.ts";
import { defineProtocol, liftToRing, maskedWidth } from "../kit/index.ts";

/**
 * A masked value's x in a wider ring, exactly: 2·(m − n) dealer bits per element, 0 rounds (LIFT, protocols.md 1.0).
 */
export const maskedExtend = defineProtocol({
  name: "masked.extend",
  implements: "extend",
  settings: ["2pc-dealer", "3pc"],
  security: "semi-honest",
  paper: "protocols.md 1.0, after SIGMA's correction of the sign bit (Gupta et al., PETS 2024)",
  accuracy: "exact",
  forms: ["masked"],
  yields: "share",
  operandWidths: ({ operands: [x] }) => [maskedWidth(x!)],
  *run(party, spec, x) {
    return { kind: "share", tensor: liftToRing(party, x as MaskedValue, spec.result.width) } satisfies Share;
  },
});
