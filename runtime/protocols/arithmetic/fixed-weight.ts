import type { MaskedValue, Share } from "../../core/index.ts";
import { defineProtocol, matmulMasked } from "../kit/index.ts";

/**
 * x·W for a weight that was opened once under a mask, Ŵ = W + B (LIN-FIX, protocols.md 1.1). With x masked in the
 * product's ring the result is X̂Ŵ − X̂[B] − [A]Ŵ + [AB], and nothing more is sent. The mask B serves every query: it
 * is opened once, and each query gets fresh shares of [AB]. Setup: width bits per element of W. 0 rounds once x is
 * masked. Dealer: width bits per element of the result, to the server.
 */
export const fixedWeightMatmul = defineProtocol({
  name: "fixed-weight.matmul",
  implements: "matmul",
  settings: ["2pc-dealer", "3pc"],
  security: "semi-honest",
  paper: "ours: docs/protocols/masked-product.md; Beaver, CRYPTO 1991, with one mask for a fixed operand",
  accuracy: "exact",
  forms: ["masked", "fixed"],
  yields: "share",
  exactRings: true,
  operandWidths: ({ result }) => [result.width, result.width],
  *run(party, _spec, x, w) {
    return { kind: "share", tensor: matmulMasked(party, x as MaskedValue, w as MaskedValue, (t) => t) } satisfies Share;
  },
});
