import type { Share } from "../../../core/index.ts";
import { maskAndOpen } from "../../boundary/index.ts";
import { defineProtocol, multiplyMasked, productDrop } from "../../kit/index.ts";
import { additiveShareOf, truncateShare } from "./beaver.ts";

/** x² with a fresh pair (r, r²): x is opened once. 1 round, 2ℓ bits; the dealer sends ℓ. Truncated in its ring. */
export const beaverSquare = defineProtocol({
  name: "beaver.square",
  implements: "square",
  settings: ["2pc-dealer", "3pc"],
  family: "crypten",
  security: "semi-honest",
  paper: "CrypTen (Knott et al., NeurIPS 2021), section 4.1 and its code; protocols.md 4",
  accuracy: { ulps: (spec) => (productDrop(spec) > 0 ? 1 : 0) },
  // The local truncation fails if the shares straddle the end of the ring: x² / 2^ℓ.
  failure: (spec) => {
    const { lo, hi, scale } = spec.operands[0]!;
    return productDrop(spec) > 0 ? Math.min(1, (Math.max(lo ** 2, hi ** 2) * 4 ** scale) / 2 ** spec.result.width) : 0;
  },
  forms: ["share"],
  yields: "share",
  operandWidths: ({ result }) => [result.width],
  *run(party, spec, operand) {
    const { width } = spec.result;
    const x = yield* maskAndOpen(party, additiveShareOf(party, operand!, width));
    return {
      kind: "share",
      tensor: truncateShare(party, multiplyMasked(party, x, x, width), productDrop(spec)),
    } satisfies Share;
  },
});
