import type { MaskedValue, Share } from "../../core/index.ts";
import { defineProtocol, matmulMasked } from "../kit/index.ts";

/**
 * Matrix product of two shared tensors, each masked once in the product's ring (LIN-SS, protocols.md 1.1). 0 rounds
 * after the openings.
 */
export const maskedMatmul = defineProtocol({
  name: "masked.matmul",
  implements: "matmul",
  settings: ["2pc-dealer", "3pc"],
  security: "semi-honest",
  paper: "Beaver, CRYPTO 1991, on masked values that are opened once; protocols.md 1.1",
  accuracy: "exact",
  forms: ["masked", "masked"],
  yields: "share",
  exactRings: true,
  operandWidths: ({ result }) => [result.width, result.width],
  *run(party, _spec, x, y) {
    return { kind: "share", tensor: matmulMasked(party, x as MaskedValue, y as MaskedValue, (t) => t) } satisfies Share;
  },
});
