import { biasOf, type Digit, digitsFor } from "./digits.ts";
import type { MatrixProduct } from "./matmul-shapes.ts";
import { PANEL, type PackedWeight } from "./packed-weight.ts";
import { lanesOf } from "./tensor.ts";
import { kernels, type Scratch, scratch } from "./wasm.ts";

// Bounds of what the kernels' memory holds at a time. A panel of 256 pairs has 16 KiB and stays in the first-level
// cache while all digits and rows use it.
const ROWS = 256;
const RESIDUES = 2 ** 20;
const COLUMNS = 1024;
const PAIRS = 256;
/** Padding of each row of sums in bytes, so that rows do not share one cache set. */
const SKEW = 64;

/** Residues times int16 weights by digits (digits.ts), exact mod 2^width except for the bits above the width. */
export function multiplyByDigits(
  out: Uint32Array,
  x: Uint32Array,
  width: number,
  weight: PackedWeight,
  product: MatrixProduct,
): void {
  const { rows, depth } = product;
  const matrix = (product.y / (depth * product.columns)) * weight.panels;
  const lanes = lanesOf(width);
  const digits = digitsFor(width, weight.bound);
  const stride = Math.ceil(depth / 8) * 8;
  const chunk = Math.min(rows, ROWS, Math.max(2, Math.floor(RESIDUES / stride) & ~1));
  const columns = Math.min(COLUMNS, weight.panels * PANEL);
  const sumStride = columns * lanes * 4 + SKEW;
  const area = scratch([
    chunk * stride * lanes * 4,
    digits.length * chunk * stride * 2,
    PAIRS * PANEL * 4,
    chunk * sumStride,
  ]);
  const tile = { area, digits, lanes, stride, sumStride };
  for (let row = 0; row < rows; row += chunk) {
    const part = { ...product, rows: Math.min(chunk, rows - row), x: product.x + row * depth };
    splitRows(x, tile, part);
    for (let column = 0; column < product.columns; column += columns) {
      const count = Math.min(columns, product.columns - column);
      multiplyPanels(tile, part, weight, matrix + column / PANEL, Math.ceil(count / PANEL));
      copyOut(out, tile, { ...part, out: product.out + row * product.columns + column }, count);
    }
  }
}

interface Tile {
  /** Residues, digits, one panel, sums. */
  readonly area: Scratch;
  readonly digits: readonly Digit[];
  readonly lanes: 1 | 2;
  /** Residues of a row, padded to a multiple of eight. */
  readonly stride: number;
  readonly sumStride: number;
}

function splitRows(
  x: Uint32Array,
  { area, digits, lanes, stride }: Tile,
  { rows, depth, x: from }: MatrixProduct,
): void {
  const [residues, planes] = area.at as [number, number];
  const words = residues / 4;
  if (depth === stride) {
    area.words.set(x.subarray(from * lanes, (from + rows * depth) * lanes), words);
  } else {
    // Elements behind the depth are multiplied by zero weights, or by none.
    for (let row = 0; row < rows; row++) {
      const start = (from + row * depth) * lanes;
      area.words.set(x.subarray(start, start + depth * lanes), words + row * stride * lanes);
    }
  }
  const split = lanes === 1 ? kernels().split32 : kernels().split64;
  const [low, high] = biasOf(digits);
  digits.forEach(({ position, bits }, k) => {
    const to = planes + k * rows * stride * 2;
    split(residues, to, (rows * stride) / 8, low, high, position, 2 ** bits - 1, 2 ** (bits - 1));
  });
}

function multiplyPanels(tile: Tile, { rows }: MatrixProduct, weight: PackedWeight, first: number, count: number): void {
  const { area, digits, lanes, stride, sumStride } = tile;
  const [, planes, panelAt, sums] = area.at as [number, number, number, number];
  area.words.fill(0, sums / 4, (sums + rows * sumStride) / 4);
  const dot = lanes === 1 ? kernels().dot32 : kernels().dot64;
  for (let panel = 0; panel < count; panel++) {
    for (let pair = 0; pair < weight.pairs; pair += PAIRS) {
      const pairs = Math.min(PAIRS, weight.pairs - pair);
      const from = ((first + panel) * weight.pairs + pair) * 2 * PANEL;
      area.shorts.set(weight.data.subarray(from, from + pairs * 2 * PANEL), panelAt / 2);
      digits.forEach(({ position, block }, k) => {
        const plane = planes + k * rows * stride * 2 + pair * 4;
        const held = Math.min(pairs, Math.floor(block / 2));
        dot(plane, stride * 2, rows, panelAt, pairs, held, sums + panel * PANEL * lanes * 4, sumStride, position);
      });
    }
  }
}

function copyOut(out: Uint32Array, { area, lanes, sumStride }: Tile, product: MatrixProduct, count: number): void {
  for (let row = 0; row < product.rows; row++) {
    const from = (area.at[3]! + row * sumStride) / 4;
    out.set(area.words.subarray(from, from + count * lanes), (product.out + row * product.columns) * lanes);
  }
}
