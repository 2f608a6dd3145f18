import type { Share } from "../../core/index.ts";
import { addConstant, neg } from "../../ring/index.ts";
import { defineProtocol } from "../kit/index.ts";

/** 1 − c in whatever ring holds the Boolean c: modulo 2 this is ¬c. Free. */
export const localNot = defineProtocol({
  name: "local.not",
  implements: "not",
  settings: ["2pc-dealer", "3pc", "2pc"],
  security: "semi-honest",
  paper: "affine in the secret bit",
  accuracy: "exact",
  forms: ["share"],
  yields: "share",
  operandWidths: ({ result }) => [result.width],
  *run(party, _spec, c) {
    const negated = neg((c as Share).tensor);
    // Only one share gets the constant.
    return { kind: "share", tensor: party.role === "client" ? negated : addConstant(negated, 1) } satisfies Share;
  },
});
