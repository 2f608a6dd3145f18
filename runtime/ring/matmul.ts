import { fromIntegers } from "./convert.ts";
import { clearHighBits, kernel, sameWidth } from "./kernel.ts";
import { multiplyByDigitPairs, paysByDigits } from "./matmul-digit-pairs.ts";
import { multiplyByDigits } from "./matmul-dot.ts";
import { multiplyPlain } from "./matmul-plain.ts";
import { multiplyResidues } from "./matmul-product.ts";
import { type MatrixProduct, productsOf } from "./matmul-shapes.ts";
import { packedWeight } from "./packed-weight.ts";
import { type IntTensor, lanesOf, type RingTensor } from "./tensor.ts";

/** Multiplications of one matrix product below which copying to WebAssembly costs more than it saves. */
const SMALL = 1024;

/**
 * x[..., M, K] · y[..., K, N] mod 2^width, leading axes broadcast: [..., M, N].
 * @throws RangeError if the widths or the depths differ, an operand has fewer than two axes, or the shapes do not
 * broadcast.
 */
export function matmul(x: RingTensor, y: RingTensor): RingTensor {
  const width = sameWidth("matmul", x, y);
  const { shape, products } = productsOf(x.shape, y.shape);
  return kernel([x, y], shape, width, (out, a, b) => multiply(out, a, b, width, products));
}

/**
 * x[..., M, K] · w[..., K, N] mod 2^width for integers that this party knows. Weights that fit 32 bits use the digit
 * kernels and are packed once: their data must not change afterwards.
 * @throws RangeError as `matmul` does, and for a weight that is not a safe integer.
 */
export function matmulInteger(x: RingTensor, w: IntTensor): RingTensor {
  const { width } = x;
  const { shape, products } = productsOf(x.shape, w.shape);
  return kernel([x, w], shape, width, (out, a) => {
    const packed = areSmall(products) ? undefined : packedWeight(w);
    if (packed === undefined) {
      multiply(out, a, fromIntegers(w, width).data!, width, products);
    } else {
      for (const product of products) multiplyByDigits(out, a, width, packed, product);
      clearHighBits(out, width);
    }
  });
}

function multiply(
  out: Uint32Array,
  x: Uint32Array,
  y: Uint32Array,
  width: number,
  products: readonly MatrixProduct[],
): void {
  const lanes = lanesOf(width);
  for (const product of products) {
    if (areSmall(products)) multiplyPlain(out, x, y, lanes, product);
    else if (paysByDigits(width, product)) multiplyByDigitPairs(out, x, y, width, product);
    else multiplyResidues(out, x, y, lanes, product);
  }
  clearHighBits(out, width);
}

/** All products of one matmul have the same size. */
function areSmall(products: readonly MatrixProduct[]): boolean {
  const first = products[0];
  return first === undefined || first.rows * first.depth * first.columns < SMALL;
}
