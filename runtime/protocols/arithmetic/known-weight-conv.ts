import type { KnownWeight, Share } from "../../core/index.ts";
import { convolve, convolveInteger } from "../../ring/index.ts";
import { defineProtocol } from "../kit/index.ts";
import { knownWeightDefaults, multiplyByKnownWeight, type ProductKernels } from "./known-weight.ts";
import { convolutionOf } from "./window-attributes.ts";

/**
 * Convolution of a shared tensor with private kernels of the server (LIN-PK, docs/protocols/convolution.md). The client
 * uploads its share of the tensor once, not the windows: each party unfolds locally. 1 round, width bits per element of
 * x, one way; dealer: width bits per element of the result, to the server only.
 */
export const knownWeightConv = defineProtocol({
  ...knownWeightDefaults,
  name: "known-weight.conv",
  implements: "conv",
  paper: "ours: docs/protocols/convolution.md",
  *run(party, spec, x, weight) {
    const how = convolutionOf(spec);
    const product: ProductKernels = {
      ring: (a, w) => convolve(a, w, how),
      integer: (a, w) => convolveInteger(a, w, how),
    };
    return yield* multiplyByKnownWeight(party, product, (x as Share).tensor, weight as KnownWeight);
  },
});
