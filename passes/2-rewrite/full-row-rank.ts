import type { Tensor } from "../../ir/tensor.ts";

/** Singular values below this fraction of ‖W‖ count as zero: what they carry is lost in float32 anyway. */
export const rankTolerance = 1e-6;

/**
 * Whether every singular value of W (d×V) exceeds rankTolerance · ‖W‖_F, so that h is determined by h·W.
 *
 * G = W·Wᵀ has the squared singular values, and Cholesky's method succeeds on G − t·I only if that is positive definite
 * up to rounding. Rounding is at most (V + d + 2)·2^-53·1.1·trace(G), in forming G and in factoring it (Higham,
 * Accuracy and Stability of Numerical Algorithms, 2nd ed., theorem 10.3), and t covers it: a success is a proof. More
 * columns never make a singular value smaller, so a sample of columns is tried first: it is enough nearly always.
 */
export function hasFullRowRank(w: Tensor): boolean {
  const [rows, columns] = w.shape as [number, number];
  if (rows > columns) return false;
  const threshold = rankTolerance ** 2 * squares(w.data);
  const sample = Math.min(columns, 2 * rows);
  return exceeds(w, sample, threshold) || (sample < columns && exceeds(w, columns, threshold));
}

const squares = (data: Float64Array): number => data.reduce((sum, x) => sum + x * x, 0);

/** Whether W·Wᵀ over `count` columns, evenly spread, has no eigenvalue up to the threshold. */
function exceeds(w: Tensor, count: number, threshold: number): boolean {
  const [rows, columns] = w.shape as [number, number];
  const picked = new Float64Array(rows * count);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < count; j++) picked[i * count + j] = w.data[i * columns + Math.floor((j * columns) / count)]!;
  }
  const shift = threshold + (count + rows + 2) * 2 ** -53 * 1.1 * squares(picked);
  const gram = new Float64Array(rows * rows);
  for (let i = 0; i < rows; i++) {
    const a = picked.subarray(i * count, (i + 1) * count);
    for (let j = 0; j <= i; j++) gram[i * rows + j] = dot(a, picked.subarray(j * count, (j + 1) * count), count);
    gram[i * rows + i] = gram[i * rows + i]! - shift;
  }
  return choleskySucceeds(gram, rows);
}

function dot(a: Float64Array, b: Float64Array, length: number): number {
  let sum = 0;
  for (let k = 0; k < length; k++) sum += a[k]! * b[k]!;
  return sum;
}

/** Cholesky in place on the lower triangle; false at the first pivot that is not positive. */
function choleskySucceeds(g: Float64Array, n: number): boolean {
  for (let j = 0; j < n; j++) {
    const left = g.subarray(j * n, j * n + j);
    const pivot = g[j * n + j]! - dot(left, left, j);
    if (!(pivot > 0)) return false;
    const root = Math.sqrt(pivot);
    g[j * n + j] = root;
    for (let i = j + 1; i < n; i++) {
      g[i * n + j] = (g[i * n + j]! - dot(g.subarray(i * n, i * n + j), left, j)) / root;
    }
  }
  return true;
}
