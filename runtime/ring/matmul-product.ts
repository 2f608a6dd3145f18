import type { MatrixProduct } from "./matmul-shapes.ts";
import { kernels, scratch } from "./wasm.ts";

const ROWS = 128;
const COLUMNS = 256;
const DEPTH = 256;
/** Columns of the widest tile. */
const TILE = 8;
/** Padding of each row in elements, so that rows do not share one cache set. */
const SKEW = 8;

/** Residues times residues, exact mod 2^32 or 2^64. */
export function multiplyResidues(
  out: Uint32Array,
  x: Uint32Array,
  y: Uint32Array,
  lanes: 1 | 2,
  product: MatrixProduct,
): void {
  const rows = Math.min(ROWS, product.rows);
  const columns = Math.min(COLUMNS, Math.ceil(product.columns / TILE) * TILE);
  const depth = Math.min(DEPTH, product.depth);
  const [xStride, yStride] = [depth + SKEW, columns + SKEW];
  const area = scratch([rows * xStride * lanes * 4, depth * yStride * lanes * 4, rows * yStride * lanes * 4]);
  const [xAt, yAt, sums] = area.at as [number, number, number];
  const run = lanes === 1 ? kernels().product32 : kernels().product64;

  function copyIn(
    from: Uint32Array,
    start: number,
    stride: number,
    count: number,
    rows: number,
    to: number,
    gap: number,
  ) {
    for (let row = 0; row < rows; row++) {
      const at = (start + row * stride) * lanes;
      area.words.set(from.subarray(at, at + count * lanes), to / 4 + row * gap * lanes);
    }
  }

  for (let row = 0; row < product.rows; row += rows) {
    const rowCount = Math.min(rows, product.rows - row);
    for (let column = 0; column < product.columns; column += columns) {
      const count = Math.min(columns, product.columns - column);
      const tiled = Math.ceil(count / TILE) * TILE;
      area.words.fill(0, sums / 4, sums / 4 + rowCount * yStride * lanes);
      for (let k = 0; k < product.depth; k += depth) {
        const deep = Math.min(depth, product.depth - k);
        copyIn(x, product.x + row * product.depth + k, product.depth, deep, rowCount, xAt, xStride);
        copyIn(y, product.y + k * product.columns + column, product.columns, count, deep, yAt, yStride);
        const [xBytes, yBytes] = [xStride * lanes * 4, yStride * lanes * 4];
        run(xAt, xBytes, rowCount, yAt, yBytes, tiled, deep, sums, yBytes);
      }
      for (let r = 0; r < rowCount; r++) {
        const from = sums / 4 + r * yStride * lanes;
        const to = product.out + (row + r) * product.columns + column;
        out.set(area.words.subarray(from, from + count * lanes), to * lanes);
      }
    }
  }
}
