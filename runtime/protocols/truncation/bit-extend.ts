import type { MaskedValue, Share } from "../../core/index.ts";
import { bitToRing, defineProtocol } from "../kit/index.ts";

/** An opened Boolean as a number in a wider ring: c = ĉ + (1 − 2ĉ)·γ. Dealer: width bits per element; 0 rounds. */
export const bitExtend = defineProtocol({
  name: "bit.extend",
  implements: "extend",
  settings: ["2pc-dealer", "3pc"],
  security: "semi-honest",
  paper: "protocols.md 1.3, B2A; ours: docs/protocols/ordering.md",
  accuracy: "exact",
  forms: ["masked"],
  yields: "share",
  operandWidths: () => [1],
  exactRings: true,
  refuses: ({ operands: [x] }) => (x!.width === 1 ? undefined : "it extends Booleans only"),
  *run(party, spec, c) {
    return { kind: "share", tensor: bitToRing(party, c as MaskedValue, spec.result.width) } satisfies Share;
  },
});
