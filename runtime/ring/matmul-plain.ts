import { highProduct } from "../kernels/index.ts";
import { fromIntegers } from "./convert.ts";
import { clearHighBits, kernel, sameWidth } from "./kernel.ts";
import { type MatrixProduct, productsOf } from "./matmul-shapes.ts";
import { type IntTensor, lanesOf, type RingTensor } from "./tensor.ts";

/** `matmul` in plain TypeScript: the oracle of the WebAssembly kernels, and faster for small products. */
export function matmulPlain(x: RingTensor, y: RingTensor): RingTensor {
  const width = sameWidth("matmul", x, y);
  const { shape, products } = productsOf(x.shape, y.shape);
  return kernel([x, y], shape, width, (out, a, b) => {
    for (const product of products) multiplyPlain(out, a, b, lanesOf(width), product);
    clearHighBits(out, width);
  });
}

/** `matmulInteger` in plain TypeScript. */
export function matmulIntegerPlain(x: RingTensor, w: IntTensor): RingTensor {
  return matmulPlain(x, fromIntegers(w, x.width));
}

/** One product, exact mod 2^32 or 2^64; `out` must be zero. */
export function multiplyPlain(
  out: Uint32Array,
  x: Uint32Array,
  y: Uint32Array,
  lanes: 1 | 2,
  product: MatrixProduct,
): void {
  (lanes === 1 ? multiplyNarrow : multiplyWide)(out, x, y, product);
}

function multiplyNarrow(out: Uint32Array, x: Uint32Array, y: Uint32Array, product: MatrixProduct): void {
  const { rows, depth, columns } = product;
  for (let i = 0; i < rows; i++) {
    const to = product.out + i * columns;
    for (let k = 0; k < depth; k++) {
      const a = x[product.x + i * depth + k]!;
      const from = product.y + k * columns;
      for (let j = 0; j < columns; j++) out[to + j] = (out[to + j]! + Math.imul(a, y[from + j]!)) | 0;
    }
  }
}

function multiplyWide(out: Uint32Array, x: Uint32Array, y: Uint32Array, product: MatrixProduct): void {
  const { rows, depth, columns } = product;
  for (let i = 0; i < rows; i++) {
    const to = 2 * (product.out + i * columns);
    for (let k = 0; k < depth; k++) {
      const at = 2 * (product.x + i * depth + k);
      const low = x[at]!;
      const high = x[at + 1]!;
      const from = 2 * (product.y + k * columns);
      for (let j = 0; j < 2 * columns; j += 2) {
        const other = y[from + j]!;
        const a = Math.imul(low, other);
        const b = out[to + j]! | 0;
        const sum = (a + b) | 0;
        const carry = ((a & b) | ((a | b) & ~sum)) >>> 31;
        const crossed = Math.imul(low, y[from + j + 1]!) + Math.imul(high, other);
        out[to + j] = sum;
        out[to + j + 1] = (out[to + j + 1]! + highProduct(low, other) + crossed + carry) | 0;
      }
    }
  }
}
