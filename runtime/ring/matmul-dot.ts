import { biasOf, type Digit, digitsFor } from "./digits.ts";
import type { MatrixProduct } from "./matmul-shapes.ts";
import { PANEL, PART, type PackedWeight, type WeightParts } from "./packed-weight.ts";
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

/** Rows, at most, of which the kernels' memory holds residues and digits at a time. */
export const rowsAtOnce = (rows: number, stride: number): number =>
  Math.min(rows, ROWS, Math.max(2, Math.floor(RESIDUES / stride) & ~1));

/** Bytes of a row of sums. */
export const sumStrideOf = (columns: number, lanes: 1 | 2): number => columns * lanes * 4 + SKEW;

/** Residues times weights of parts of 16 bits, by digits (digits.ts), exact mod 2^width except for the bits above the width. */
export function multiplyByDigits(
  out: Uint32Array,
  x: Uint32Array,
  width: number,
  weight: WeightParts,
  product: MatrixProduct,
): void {
  const { rows, depth } = product;
  const lanes = lanesOf(width);
  // A higher part needs fewer bits of x.
  const parts = weight.filter((_, k) => PART * k < width);
  const digits = parts.map(({ bound }, k) => digitsFor(width - PART * k, bound));
  const { panels } = parts[0]!;
  const matrix = (product.y / (depth * product.columns)) * panels;
  const stride = Math.ceil(depth / 8) * 8;
  const chunk = rowsAtOnce(rows, stride);
  const columns = Math.min(COLUMNS, panels * PANEL);
  const sumStride = sumStrideOf(columns, lanes);
  const area = scratch([
    chunk * stride * lanes * 4,
    digits.flat().length * chunk * stride * 2,
    PAIRS * PANEL * 4,
    chunk * sumStride,
  ]);
  const tile = { area, digits, lanes, stride, sumStride };
  for (let row = 0; row < rows; row += chunk) {
    const part = { ...product, rows: Math.min(chunk, rows - row), x: product.x + row * depth };
    splitRows(x, tile, part);
    for (let column = 0; column < product.columns; column += columns) {
      const count = Math.min(columns, product.columns - column);
      area.words.fill(0, area.at[3]! / 4, (area.at[3]! + part.rows * sumStride) / 4);
      let plane = 0;
      parts.forEach((each, k) => {
        const from = { weight: each, first: matrix + column / PANEL, count: Math.ceil(count / PANEL) };
        multiplyPanels(tile, part.rows, from, { digits: digits[k]!, plane, shift: PART * k });
        plane += digits[k]!.length;
      });
      copyOut(out, tile, { ...part, out: product.out + row * product.columns + column }, count);
    }
  }
}

export interface Tile {
  /** Residues, digits, one panel, sums, in this order; what else there is follows. */
  readonly area: Scratch;
  /** Digits of x, in one way or several: one plane after the other. */
  readonly digits: readonly (readonly Digit[])[];
  readonly lanes: 1 | 2;
  /** Residues of a row, padded to a multiple of eight. */
  readonly stride: number;
  readonly sumStride: number;
}

/** Copies rows of x to the kernels' memory, and writes their digits. */
export function splitRows(
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
  let plane = 0;
  for (const way of digits) {
    splitResidues(way, lanes, { from: residues, to: planes + plane * rows * stride * 2, count: rows * stride });
    plane += way.length;
  }
}

/** Writes digits of residues in the kernels' memory, plane by plane. The count is a multiple of eight. */
export function splitResidues(
  digits: readonly Digit[],
  lanes: 1 | 2,
  { from, to, count }: { readonly from: number; readonly to: number; readonly count: number },
): void {
  const split = lanes === 1 ? kernels().split32 : kernels().split64;
  const [low, high] = biasOf(digits);
  digits.forEach(({ position, bits }, k) => {
    split(from, to + 2 * k * count, count / 8, low, high, position, 2 ** bits - 1, 2 ** (bits - 1));
  });
}

/** Adds the products of one part, whose digits of x begin at a plane, shifted to the part's place. */
function multiplyPanels(
  { area, lanes, stride, sumStride }: Tile,
  rows: number,
  { weight, first, count }: { readonly weight: PackedWeight; readonly first: number; readonly count: number },
  part: { readonly digits: readonly Digit[]; readonly plane: number; readonly shift: number },
): void {
  const [, planes, panelAt, sums] = area.at as [number, number, number, number];
  const dot = lanes === 1 ? kernels().dot32 : kernels().dot64;
  for (let panel = 0; panel < count; panel++) {
    for (let pair = 0; pair < weight.pairs; pair += PAIRS) {
      const pairs = Math.min(PAIRS, weight.pairs - pair);
      const from = ((first + panel) * weight.pairs + pair) * 2 * PANEL;
      area.shorts.set(weight.data.subarray(from, from + pairs * 2 * PANEL), panelAt / 2);
      part.digits.forEach(({ position, block }, k) => {
        const plane = planes + (part.plane + k) * rows * stride * 2 + pair * 4;
        const held = Math.min(pairs, Math.floor(block / 2));
        const to = sums + panel * PANEL * lanes * 4;
        dot(plane, stride * 2, rows, panelAt, pairs, held, to, sumStride, position + part.shift);
      });
    }
  }
}

/** Copies sums to their rows of the result. */
export function copyOut(
  out: Uint32Array,
  { area, lanes, sumStride }: Tile,
  product: MatrixProduct,
  count: number,
): void {
  for (let row = 0; row < product.rows; row++) {
    const from = (area.at[3]! + row * sumStride) / 4;
    out.set(area.words.subarray(from, from + count * lanes), (product.out + row * product.columns) * lanes);
  }
}
