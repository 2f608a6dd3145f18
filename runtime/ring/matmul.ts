import { fromIntegers } from "./convert.ts";
import { canonicalise, kernel, sameWidth } from "./kernel.ts";
import { multiplyByDigits } from "./matmul-dot.ts";
import { matmulPlain } from "./matmul-plain.ts";
import { multiplyResidues } from "./matmul-product.ts";
import { type Products, productsOf } from "./matmul-shapes.ts";
import { packedWeight } from "./packed-weight.ts";
import { type IntTensor, lanesOf, type RingTensor } from "./tensor.ts";

/** Multiplications of one matrix product below which copying to WebAssembly costs more than it saves. */
const SMALL = 1024;

/**
 * x[..., M, K] · y[..., K, N] mod 2^width, leading axes broadcast: [..., M, N].
 * @throws RangeError if the widths or the depths differ, an operand has no two axes, or the shapes do not broadcast.
 */
export function matmul(x: RingTensor, y: RingTensor): RingTensor {
  const width = sameWidth("matmul", x, y);
  const multiplied = productsOf(x.shape, y.shape);
  if (isSmall(multiplied)) return matmulPlain(x, y);
  return kernel([x, y], multiplied.shape, width, (out, a, b) => {
    for (const product of multiplied.products) multiplyResidues(out, a, b, lanesOf(width), product);
    canonicalise(out, width);
  });
}

/**
 * x[..., M, K] · w[..., K, N] mod 2^width for integers that this party knows. Weights that fit 16 bits take the digit
 * kernels and are packed once: their data must not change afterwards.
 * @throws RangeError as `matmul` does, and for a weight that is not a safe integer.
 */
export function matmulInteger(x: RingTensor, w: IntTensor): RingTensor {
  const multiplied = productsOf(x.shape, w.shape);
  const packed = isSmall(multiplied) ? undefined : packedWeight(w);
  if (packed === undefined) return matmul(x, fromIntegers(w, x.width));
  return kernel([x], multiplied.shape, x.width, (out, a) => {
    for (const product of multiplied.products) multiplyByDigits(out, a, x.width, packed, product);
    canonicalise(out, x.width);
  });
}

function isSmall({ products }: Products): boolean {
  const first = products[0];
  return first === undefined || first.rows * first.depth * first.columns < SMALL;
}
