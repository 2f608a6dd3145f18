import type { Tensor } from "../../tensor.ts";
import { broadcast, type Shape, sizeOf } from "../../type.ts";
import { formatShape } from "./shapes.ts";
import { expandTo, map } from "./tensors.ts";

export function matmulShape(a: Shape, b: Shape): Shape {
  const batch = a.length < 2 || b.length < 2 ? undefined : broadcast(a.slice(0, -2), b.slice(0, -2));
  if (!batch || a.at(-1) !== b.at(-2)) {
    throw new Error(`expected matrices [… M, K] and [… K, N], found ${formatShape(a)} and ${formatShape(b)}`);
  }
  return [...batch, a.at(-2)!, b.at(-1)!];
}

/** Columns processed together: a panel of 4 rows stays in the first cache level. */
const columnBlock = 512;

/**
 * c += a·b for one pair of matrices, two rows of a and four of b at a time: each element of c is loaded once for four
 * products, each of b for two. Scalars have names of their own: V8 builds the arrays of a destructuring in this loop.
 */
function accumulate(
  c: Float64Array,
  a: Float64Array,
  b: Float64Array,
  rows: number,
  inner: number,
  columns: number,
): void {
  const whole = inner - (inner % 4);
  const even = rows - (rows % 2);
  for (let left = 0; left < columns; left += columnBlock) {
    const right = Math.min(columns, left + columnBlock);
    for (let k = 0; k < whole; k += 4) {
      const row = (n: number): Float64Array => b.subarray((k + n) * columns, (k + n + 1) * columns);
      const b0 = row(0);
      const b1 = row(1);
      const b2 = row(2);
      const b3 = row(3);
      for (let i = 0; i < even; i += 2) {
        const at = i * inner + k;
        const to = i * columns;
        const next = at + inner;
        const below = to + columns;
        const a0 = a[at]!;
        const a1 = a[at + 1]!;
        const a2 = a[at + 2]!;
        const a3 = a[at + 3]!;
        const e0 = a[next]!;
        const e1 = a[next + 1]!;
        const e2 = a[next + 2]!;
        const e3 = a[next + 3]!;
        for (let j = left; j < right; j++) {
          const x0 = b0[j]!;
          const x1 = b1[j]!;
          const x2 = b2[j]!;
          const x3 = b3[j]!;
          c[to + j] = c[to + j]! + (a0 * x0 + a1 * x1 + a2 * x2 + a3 * x3);
          c[below + j] = c[below + j]! + (e0 * x0 + e1 * x1 + e2 * x2 + e3 * x3);
        }
      }
      for (let i = even; i < rows; i++) {
        const at = i * inner + k;
        const to = i * columns;
        const a0 = a[at]!;
        const a1 = a[at + 1]!;
        const a2 = a[at + 2]!;
        const a3 = a[at + 3]!;
        for (let j = left; j < right; j++)
          c[to + j] = c[to + j]! + (a0 * b0[j]! + a1 * b1[j]! + a2 * b2[j]! + a3 * b3[j]!);
      }
    }
    for (let k = whole; k < inner; k++) {
      for (let i = 0; i < rows; i++) {
        const x = a[i * inner + k]!;
        for (let j = left; j < right; j++) c[i * columns + j] = c[i * columns + j]! + x * b[k * columns + j]!;
      }
    }
  }
}

/** Numpy's matmul of tensors of rank 2 and more. */
export function matmulOf(a: Tensor, b: Tensor): Tensor {
  const shape = matmulShape(a.shape, b.shape);
  const [rows, inner, columns] = [a.shape.at(-2)!, a.shape.at(-1)!, b.shape.at(-1)!];
  const batch = shape.slice(0, -2);
  const out = new Float64Array(sizeOf(shape));
  if (sizeOf(b.shape.slice(0, -2)) === 1) {
    // One matrix for every batch: [B, M, K]·[K, N] is [B·M, K]·[K, N].
    accumulate(out, a.data, b.data, a.data.length / Math.max(inner, 1), inner, columns);
    return { shape, data: out };
  }
  const x = expandTo(a, [...batch, rows, inner]).data;
  const y = expandTo(b, [...batch, inner, columns]).data;
  for (let n = 0; n < sizeOf(batch); n++) {
    accumulate(
      out.subarray(n * rows * columns, (n + 1) * rows * columns),
      x.subarray(n * rows * inner, (n + 1) * rows * inner),
      y.subarray(n * inner * columns, (n + 1) * inner * columns),
      rows,
      inner,
      columns,
    );
  }
  return { shape, data: out };
}

const exact = 2 ** 53;
const largest = (data: Float64Array): number => data.reduce((most, x) => Math.max(most, Math.abs(x)), 0);

/** Product of integer matrices; NaN where float64 may have rounded, that is where Σ|a||b| reaches 2^53. */
export function exactMatmul(a: Tensor, b: Tensor): Tensor {
  const product = matmulOf(a, b);
  if (largest(a.data) * largest(b.data) * a.shape.at(-1)! < exact) return product;
  const bound = matmulOf(map(a, Math.abs), map(b, Math.abs)).data;
  return { shape: product.shape, data: product.data.map((x, i) => (bound[i]! < exact ? x : Number.NaN)) };
}
