import { matmulOf } from "../../ir/ops/helpers/matmul.ts";
import type { Tensor } from "../../ir/tensor.ts";
import { transpose } from "../tensors/index.ts";

export interface LowRankFactors {
  /** [in, r]: orthogonal columns of length 1/√3, the length of the columns of an A that PEFT draws. */
  readonly a: Tensor;
  /** [r, out] */
  readonly b: Tensor;
  /** ‖matrix − a·b‖ / ‖matrix‖, Frobenius norms. */
  readonly residual: number;
}

/**
 * Approximates a matrix [in, out] by a product of two thin ones, as closely as one step of subspace iteration comes to
 * its leading singular vectors. Q spans the r columns that pivoted Gram–Schmidt selects (Businger and Golub, Numerische
 * Mathematik 7, 1965), V spans the rows of Qᵀ·matrix, and matrix·V is the better basis (Halko, Martinsson and Tropp,
 * SIAM Review 53, 2011, algorithm 4.4). A matrix of lower rank gets columns of zeros: r is public, its true rank is
 * not.
 */
export function factorizeLowRank(matrix: Tensor, rank: number): LowRankFactors {
  const start = orthonormalBasis(matrix, rank);
  const rows = orthonormalBasis(transpose(matmulOf(transpose(start), matrix)), rank);
  const columns = orthonormalBasis(matmulOf(matrix, rows), rank);
  const high = matmulOf(transpose(columns), matrix);
  const rest = matmulOf(columns, high).data.map((value, at) => matrix.data[at]! - value);
  const whole = norm(matrix.data);
  const half = (tensor: Tensor, factor: number): Tensor => {
    return { shape: tensor.shape, data: tensor.data.map((value) => value * factor) };
  };
  return {
    a: half(columns, 1 / Math.sqrt(3)),
    b: half(high, Math.sqrt(3)),
    residual: whole === 0 ? 0 : norm(rest) / whole,
  };
}

const norm = (data: Float64Array): number => Math.sqrt(data.reduce((sum, value) => sum + value * value, 0));

/** A remainder below this part of a column's length is rounding. */
const negligibleNorm = 2 ** -40;

/** Orthonormal columns [m, r] of the leading columns of [m, n], each time the longest remaining one; then zeros. */
function orthonormalBasis(matrix: Tensor, rank: number): Tensor {
  const [m, n] = matrix.shape as [number, number];
  const rest = transpose(matrix).data.slice();
  const column = (at: number): Float64Array => rest.subarray(at * m, (at + 1) * m);
  let least = 0;
  const out = new Float64Array(rank * m);
  for (let step = 0; step < Math.min(rank, m, n); step++) {
    const lengths = Float64Array.from({ length: n }, (_, at) => norm(column(at)));
    const length = lengths.reduce((most, each) => Math.max(most, each), 0);
    if (step === 0) least = length * negligibleNorm;
    if (!(length > least)) break;
    const best = lengths.indexOf(length);
    const unit = out.subarray(step * m, (step + 1) * m);
    unit.set(column(best).map((value) => value / length));
    // Twice is enough: Giraud, Langou and Rozložník, Numerische Mathematik 101, 2005.
    for (let before = 0; before < step; before++) subtractProjection(unit, out.subarray(before * m, (before + 1) * m));
    const again = norm(unit);
    for (let at = 0; at < m; at++) unit[at] = unit[at]! / again;
    for (let at = 0; at < n; at++) subtractProjection(column(at), unit);
  }
  return transpose({ shape: [rank, m], data: out });
}

/** Subtracts the projection of a vector on a unit vector. */
function subtractProjection(vector: Float64Array, unit: Float64Array): void {
  let along = 0;
  for (let at = 0; at < vector.length; at++) along += vector[at]! * unit[at]!;
  for (let at = 0; at < vector.length; at++) vector[at] = vector[at]! - along * unit[at]!;
}
