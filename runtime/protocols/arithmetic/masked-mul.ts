import type { MaskedValue, Share } from "../../core/index.ts";
import { defineProtocol, maskedWidth, multiplyMasked, productDrop, rescale, widthBeforeRescale } from "../kit/index.ts";

/** Elementwise product of two masked values, truncated to the result's scale. 0 rounds, nothing is sent. */
export const maskedMul = defineProtocol({
  name: "masked.mul",
  implements: "mul",
  settings: ["2pc-dealer", "3pc"],
  security: "semi-honest",
  paper: "ours: docs/protocols/masked-product.md",
  accuracy: { ulps: (spec) => (productDrop(spec) > 0 ? 1 : 0) },
  forms: ["masked", "masked"],
  yields: "share",
  operandWidths: ({ operands: [x, y] }) => [maskedWidth(x!), maskedWidth(y!)],
  maxResultWidth: (spec) => 64 - Math.max(0, productDrop(spec)),
  refuses: (spec) => {
    const width = widthBeforeRescale(spec.result.width, productDrop(spec));
    return width > 64 ? `the product needs a ring of ${width} bits, at most 64 are supported` : undefined;
  },
  *run(party, spec, x, y) {
    const drop = productDrop(spec);
    const product = multiplyMasked(
      party,
      x as MaskedValue,
      y as MaskedValue,
      widthBeforeRescale(spec.result.width, drop),
    );
    return { kind: "share", tensor: rescale(product, drop) } satisfies Share;
  },
});
