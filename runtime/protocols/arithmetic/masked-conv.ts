import type { MaskedValue, Share } from "../../core/index.ts";
import { convolve } from "../../ring/index.ts";
import { bilinearMasked, defineProtocol } from "../kit/index.ts";
import { convolutionOf } from "./window-attributes.ts";

/**
 * Convolution of two shared tensors, each masked once in the product's ring (LIN-SS, docs/protocols/convolution.md). 0
 * rounds after the openings.
 */
export const maskedConv = defineProtocol({
  name: "masked.conv",
  implements: "conv",
  settings: ["2pc-dealer", "3pc"],
  security: "semi-honest",
  paper: "Beaver, CRYPTO 1991, on masked values that are opened once; ours: docs/protocols/convolution.md",
  accuracy: "exact",
  forms: ["masked", "masked"],
  yields: "share",
  exactRings: true,
  operandWidths: ({ result }) => [result.width, result.width],
  *run(party, spec, x, w) {
    const how = convolutionOf(spec);
    const tensor = bilinearMasked(party, x as MaskedValue, w as MaskedValue, (a, b) => convolve(a, b, how));
    return { kind: "share", tensor } satisfies Share;
  },
});
