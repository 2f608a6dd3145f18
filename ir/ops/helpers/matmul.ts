import type { Tensor } from "../../tensor.ts";
import { broadcast, type Shape, sizeOf } from "../../type.ts";
import { exactLimit } from "./fixed-point.ts";
import { multiplyReals } from "./real-products.ts";
import { formatShape } from "./shapes.ts";
import { expandTo, largestOf, map } from "./tensors.ts";

export function matmulShape(a: Shape, b: Shape): Shape {
  const batch = a.length < 2 || b.length < 2 ? undefined : broadcast(a.slice(0, -2), b.slice(0, -2));
  if (!batch || a.at(-1) !== b.at(-2)) {
    throw new Error(`expected matrices [… M, K] and [… K, N], found ${formatShape(a)} and ${formatShape(b)}`);
  }
  return [...batch, a.at(-2)!, b.at(-1)!];
}

/** Numpy's matmul of tensors of rank 2 and more. */
export function matmulOf(a: Tensor, b: Tensor): Tensor {
  const shape = matmulShape(a.shape, b.shape);
  const [rows, inner, columns] = [a.shape.at(-2)!, a.shape.at(-1)!, b.shape.at(-1)!];
  const batch = shape.slice(0, -2);
  const out = new Float64Array(sizeOf(shape));
  if (sizeOf(b.shape.slice(0, -2)) === 1) {
    // One matrix for every batch: [B, M, K]·[K, N] is [B·M, K]·[K, N].
    const allRows = a.data.length / Math.max(inner, 1);
    multiplyReals(out, a.data, b.data, { rows: allRows, depth: inner, columns });
    return { shape, data: out };
  }
  const x = expandTo(a, [...batch, rows, inner]).data;
  const y = expandTo(b, [...batch, inner, columns]).data;
  for (let n = 0; n < sizeOf(batch); n++) {
    multiplyReals(
      out.subarray(n * rows * columns, (n + 1) * rows * columns),
      x.subarray(n * rows * inner, (n + 1) * rows * inner),
      y.subarray(n * inner * columns, (n + 1) * inner * columns),
      { rows, depth: inner, columns },
    );
  }
  return { shape, data: out };
}

/** Product of integer matrices; NaN where float64 may have rounded, that is where Σ|a||b| reaches 2^53. */
export function exactMatmul(a: Tensor, b: Tensor): Tensor {
  const product = matmulOf(a, b);
  if (largestOf(a) * largestOf(b) * a.shape.at(-1)! < exactLimit) return product;
  const bound = matmulOf(map(a, Math.abs), map(b, Math.abs)).data;
  return { shape: product.shape, data: product.data.map((x, i) => (bound[i]! < exactLimit ? x : Number.NaN)) };
}
