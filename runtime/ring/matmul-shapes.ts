import { broadcastShapes, broadcastStrides, forEachRun } from "./broadcast.ts";
import { type Shape, sizeOf } from "./tensor.ts";

/** One product x[rows, depth] · y[depth, columns]; offsets in elements of the three tensors. */
export interface MatrixProduct {
  readonly rows: number;
  readonly depth: number;
  readonly columns: number;
  readonly x: number;
  readonly y: number;
  readonly out: number;
}

export interface BatchedProducts {
  readonly shape: Shape;
  readonly products: readonly MatrixProduct[];
}

/**
 * The matrix products of [..., M, K] × [..., K, N], with leading axes broadcast as in numpy. A single matrix on the
 * right is multiplied once with all leading axes of the left, as rows.
 * @throws RangeError if an operand has fewer than two axes, the depths differ or the shapes do not broadcast.
 */
export function productsOf(x: Shape, y: Shape): BatchedProducts {
  const [rows, depth, columns] = [x.at(-2), x.at(-1), y.at(-1)];
  if (rows === undefined || depth === undefined || columns === undefined || depth !== y.at(-2)) {
    throw new RangeError(`shapes [${x}] and [${y}] do not multiply`);
  }
  const lead = broadcastShapes(x.slice(0, -2), y.slice(0, -2));
  const shape = [...lead, rows, columns];
  if (sizeOf(y.slice(0, -2)) === 1) {
    const all = { rows: sizeOf(x.slice(0, -1)), depth, columns, x: 0, y: 0, out: 0 };
    return { shape, products: all.rows * columns > 0 ? [all] : [] };
  }
  const products: MatrixProduct[] = [];
  const strideX = broadcastStrides(x.slice(0, -2), lead);
  const strideY = broadcastStrides(y.slice(0, -2), lead);
  forEachRun(lead, strideX, strideY, (at, i, j, count, stepI, stepJ) => {
    for (let k = 0; k < count; k++) {
      products.push({
        rows,
        depth,
        columns,
        x: (i + k * stepI) * rows * depth,
        y: (j + k * stepJ) * depth * columns,
        out: (at + k) * rows * columns,
      });
    }
  });
  return { shape, products: rows * columns > 0 ? products : [] };
}
