import type { MaskedValue, Share } from "../../../core/index.ts";
import { defineProtocol, maskedWidth, type Protocol } from "../../kit/index.ts";
import { truncateFloor, truncateWithSlack } from "./sigma-core.ts";

const shared = {
  implements: "truncate",
  settings: ["2pc-dealer", "3pc"],
  family: "sigma",
  security: "semi-honest",
  paper: "SIGMA, Gupta et al., PoPETs 2024, section 5 and its code (GPU-MPC, backend/sigma.h)",
  accuracy: "exact",
  forms: ["masked"],
  yields: "share",
  operandWidths: ({ operands: [x], result, attrs }) => [Math.max(maskedWidth(x!), result.width, Number(attrs.by) + 8)],
} as const satisfies Partial<Protocol>;

/**
 * TrFloor: without slack, as SIGMA truncates matrix products; (1 + n − s) + 1 bits each way, plus the opening of the
 * result. 3 rounds.
 */
export const sigmaTruncate = defineProtocol({
  ...shared,
  name: "sigma.truncate",
  *run(party, spec, x) {
    const tensor = yield* truncateFloor(party, x as MaskedValue, Number(spec.attrs.by), spec.result.width);
    return { kind: "share", tensor } satisfies Share;
  },
});

/** TrWithSlack: as SIGMA truncates elementwise products; 1 bit each way, plus the opening of the result. 1 round. */
export const sigmaTruncateWithSlack = defineProtocol({
  ...shared,
  name: "sigma.truncate-with-slack",
  refuses: ({ operands: [x], result }) =>
    x!.width === result.width ? undefined : "the result must be in the operand's ring",
  *run(party, spec, x) {
    const tensor = yield* truncateWithSlack(party, x as MaskedValue, Number(spec.attrs.by));
    return { kind: "share", tensor } satisfies Share;
  },
});
