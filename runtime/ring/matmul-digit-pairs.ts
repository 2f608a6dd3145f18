import { type DigitPairs, digitPairsFor } from "./digits.ts";
import { copyOut, rowsAtOnce, splitResidues, splitRows, sumStrideOf, type Tile } from "./matmul-dot.ts";
import type { MatrixProduct } from "./matmul-shapes.ts";
import { PANEL } from "./packed-weight.ts";
import { lanesOf } from "./tensor.ts";
import { kernels, scratch } from "./wasm.ts";

/** Columns and pairs of rows of y whose digits the kernels' memory holds at a time. */
const COLUMNS = 256;
const PAIRS = 256;
/** Rows of x for which splitting y pays. */
const FEWEST_ROWS = 24;
/**
 * Dot products of digits that are faster than one product of residues of 32 bits, and of 64: up to 16 bits they take half
 * of the time, from 33 to 42 bits six tenths (docs/adr/0039-products-by-digits.md). Ten take as long.
 */
const MOST_PAIRS = { 1: 1, 2: 6 } as const;

const known = new Map<number, DigitPairs>();
function pairsOf(width: number): DigitPairs {
  const found = known.get(width) ?? digitPairsFor(width);
  known.set(width, found);
  return found;
}

/** Whether a product of residues is faster by digits of both operands: by its shape and width alone. */
export const paysByDigits = (width: number, { rows }: MatrixProduct): boolean =>
  rows >= FEWEST_ROWS && pairsOf(width).pairs.length <= MOST_PAIRS[lanesOf(width)];

/** Residues times residues by digits of both (digits.ts), exact mod 2^width except for the bits above the width. */
export function multiplyByDigitPairs(
  out: Uint32Array,
  x: Uint32Array,
  y: Uint32Array,
  width: number,
  product: MatrixProduct,
): void {
  const { rows, depth } = product;
  const lanes = lanesOf(width);
  const { digits, pairs } = pairsOf(width);
  const stride = Math.ceil(depth / 8) * 8;
  const chunk = rowsAtOnce(rows, stride);
  const columns = Math.min(COLUMNS, Math.ceil(product.columns / PANEL) * PANEL);
  const held = Math.min(PAIRS, Math.ceil(depth / 2));
  const sumStride = sumStrideOf(columns, lanes);
  const area = scratch([
    chunk * stride * lanes * 4,
    digits.length * chunk * stride * 2,
    PAIRS * PANEL * 4,
    chunk * sumStride,
    2 * held * columns * lanes * 4,
    digits.length * 2 * held * columns * 2,
  ]);
  const tile = { area, digits: [digits], lanes, stride, sumStride };
  for (let row = 0; row < rows; row += chunk) {
    const part = { ...product, rows: Math.min(chunk, rows - row), x: product.x + row * depth };
    splitRows(x, tile, part);
    for (let column = 0; column < product.columns; column += columns) {
      const count = Math.min(columns, product.columns - column);
      area.words.fill(0, area.at[3]! / 4, (area.at[3]! + part.rows * sumStride) / 4);
      for (let pair = 0; 2 * pair < depth; pair += held) {
        const block = { first: 2 * pair, column, count, pairs: Math.min(held, Math.ceil(depth / 2) - pair) };
        splitColumns(y, tile, part, block);
        multiplyPanels(tile, pairs, part, block);
      }
      copyOut(out, tile, { ...part, out: product.out + row * product.columns + column }, count);
    }
  }
}

/** Rows and columns of y. */
interface Block {
  readonly first: number;
  readonly pairs: number;
  readonly column: number;
  readonly count: number;
}

/** Elements of a row of a block, in whole panels. */
const widthOf = ({ count }: Block): number => Math.ceil(count / PANEL) * PANEL;

/** Copies a block of y to the kernels' memory, with zeros behind its ends, and writes its digits. */
function splitColumns(y: Uint32Array, { area, digits, lanes }: Tile, product: MatrixProduct, block: Block): void {
  const [residues, planes] = [area.at[4]!, area.at[5]!];
  const wide = widthOf(block);
  const words = residues / 4;
  for (let line = 0; line < 2 * block.pairs; line++) {
    const to = words + line * wide * lanes;
    const row = block.first + line;
    const held = row < product.depth ? block.count : 0;
    const from = (product.y + row * product.columns + block.column) * lanes;
    area.words.set(y.subarray(from, from + held * lanes), to);
    area.words.fill(0, to + held * lanes, to + wide * lanes);
  }
  splitResidues(digits[0]!, lanes, { from: residues, to: planes, count: 2 * block.pairs * wide });
}

function multiplyPanels(tile: Tile, pairs: DigitPairs["pairs"], { rows }: MatrixProduct, block: Block): void {
  const { area, digits, lanes, stride, sumStride } = tile;
  const [, xPlanes, panelAt, sums, , yPlanes] = area.at as [number, number, number, number, number, number];
  const dot = lanes === 1 ? kernels().dot32 : kernels().dot64;
  const wide = widthOf(block);
  for (let column = 0; column < wide; column += PANEL) {
    digits[0]!.forEach((_, j) => {
      kernels().panel(yPlanes + 2 * (j * 2 * block.pairs * wide + column), 2 * wide, panelAt, block.pairs);
      for (const pair of pairs) {
        if (pair.j !== j) continue;
        const plane = xPlanes + 2 * (pair.i * rows * stride + block.first);
        const most = Math.min(block.pairs, Math.floor(pair.block / 2));
        const to = sums + column * lanes * 4;
        dot(plane, stride * 2, rows, panelAt, block.pairs, most, to, sumStride, pair.position);
      }
    });
  }
}
