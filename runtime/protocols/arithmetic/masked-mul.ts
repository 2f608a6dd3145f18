import type { MaskedValue, Share } from "../../core/index.ts";
import { defineProtocol, maskedWidth, multiplyMasked, rescale, type Spec, widthBeforeRescale } from "../kit/index.ts";

const dropOf = ({ operands: [x, y], result }: Spec): number => x!.scale + y!.scale - result.scale;

/** Elementwise product of two masked values, truncated to the result's scale. 0 rounds, nothing is sent. */
export const maskedMul = defineProtocol({
  name: "masked.mul",
  implements: "mul",
  settings: ["2pc-dealer", "3pc"],
  security: "semi-honest",
  paper: "ours: docs/protocols/masked-product.md",
  accuracy: { ulps: (spec) => (dropOf(spec) > 0 ? 1 : 0) },
  forms: ["masked", "masked"],
  yields: "share",
  operandWidths: ({ operands: [x, y] }) => [maskedWidth(x!), maskedWidth(y!)],
  maxResultWidth: (spec) => 64 - Math.max(0, dropOf(spec)),
  refuses: (spec) => {
    const width = widthBeforeRescale(spec.result.width, dropOf(spec));
    return width > 64 ? `the product needs a ring of ${width} bits, at most 64 are supported` : undefined;
  },
  *run(party, spec, x, y) {
    const drop = dropOf(spec);
    const product = multiplyMasked(
      party,
      x as MaskedValue,
      y as MaskedValue,
      widthBeforeRescale(spec.result.width, drop),
    );
    return { kind: "share", tensor: rescale(product, drop) } satisfies Share;
  },
});
