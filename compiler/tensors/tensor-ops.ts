import type { Tensor } from "../../ir/tensor.ts";

/** [m, n] to [n, m]. */
export function transpose(matrix: Tensor): Tensor {
  const [rows = 0, columns = 0] = matrix.shape;
  const data = new Float64Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) data[column * rows + row] = matrix.data[row * columns + column]!;
  }
  return { shape: [columns, rows], data };
}

/** The number of elements that are infinite or NaN, and the index of the first; undefined when all are finite. */
export function findNonFinite(tensor: Tensor): { count: number; first: number } | undefined {
  let count = 0;
  let first = -1;
  for (let index = 0; index < tensor.data.length; index++) {
    if (Number.isFinite(tensor.data[index])) continue;
    if (count++ === 0) first = index;
  }
  return count > 0 ? { count, first } : undefined;
}
