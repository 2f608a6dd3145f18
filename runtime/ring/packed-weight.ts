import { type IntTensor, intTensor } from "./tensor.ts";

/** Columns of a panel. A panel is K/2 pairs of rows of 16 columns, the two rows of a pair side by side. */
export const PANEL = 16;

/** Matrices of int16 in panels, one after the other, odd depths and last panels padded with zeros. */
export interface PackedWeight {
  readonly depth: number;
  readonly columns: number;
  /** Pairs of rows of a panel. */
  readonly pairs: number;
  readonly panels: number;
  /** Largest |weight|. */
  readonly bound: number;
  readonly data: Int16Array;
}

const packedWeights = new WeakMap<Float64Array, PackedWeight | "wide">();

/**
 * The panels of weights [..., K, N], packed once, because weights never change. Undefined for a meta tensor and if a
 * weight does not fit 16 bits.
 */
export function packedWeight(w: IntTensor): PackedWeight | undefined {
  if (w.data === undefined) return undefined;
  const [depth, columns] = [w.shape.at(-2)!, w.shape.at(-1)!];
  let packed = packedWeights.get(w.data);
  // The same values in another shape have other panels.
  if (packed === undefined || (packed !== "wide" && (packed.depth !== depth || packed.columns !== columns))) {
    packed = packPanels(w.data, depth, columns) ?? "wide";
    packedWeights.set(w.data, packed);
  }
  return packed === "wide" ? undefined : packed;
}

function packPanels(weights: Float64Array, depth: number, columns: number): PackedWeight | undefined {
  let bound = 0;
  for (const weight of weights) {
    if (!(Number.isInteger(weight) && weight >= -32768 && weight <= 32767)) return undefined;
    bound = Math.max(bound, Math.abs(weight));
  }
  const pairs = Math.ceil(depth / 2);
  const panels = Math.ceil(columns / PANEL);
  const matrices = weights.length / (depth * columns);
  const data = new Int16Array(matrices * panels * pairs * 2 * PANEL);
  for (let row = 0, from = 0; row < matrices * depth; row++) {
    const k = row % depth;
    const matrix = ((row - k) / depth) * panels;
    for (let column = 0; column < columns; column++) {
      const panel = matrix + Math.floor(column / PANEL);
      data[((panel * pairs + (k >> 1)) * PANEL + (column % PANEL)) * 2 + (k & 1)] = weights[from++]!;
    }
  }
  return { depth, columns, pairs, panels, bound, data };
}

/** w = low + 2^16·high, both of 16 bits. */
interface WideWeight {
  readonly low: IntTensor;
  readonly high: IntTensor;
}

/** Weights beyond 16 bits whose high part has 16 bits too. */
const widest = 2 ** 31 - 2 ** 15;
const wideWeights = new WeakMap<Float64Array, WideWeight | "other">();

/** The two parts of a weight that fits 32 bits but not 16, made once. Undefined for any other. */
export function wideWeight(w: IntTensor): WideWeight | undefined {
  if (w.data === undefined) return undefined;
  let parts = wideWeights.get(w.data);
  // The same values in another shape: the parts have the shape of their first use.
  if (parts === undefined || (parts !== "other" && parts.low.shape.join() !== w.shape.join())) {
    parts = splitParts(w.shape, w.data) ?? "other";
    wideWeights.set(w.data, parts);
  }
  return parts === "other" ? undefined : parts;
}

function splitParts(shape: IntTensor["shape"], weights: Float64Array): WideWeight | undefined {
  const most = weights.reduce((all, x) => Math.max(all, Number.isInteger(x) ? (x < 0 ? -1 - x : x) : Infinity), 0);
  if (most < 2 ** 15 || most >= widest) return undefined;
  const high = weights.map((x) => Math.round(x / 2 ** 16));
  // Rounded halves go up, so a low part of exactly 2^15 cannot occur: it is −2^15.
  const low = weights.map((x, at) => x - high[at]! * 2 ** 16);
  return { low: intTensor(shape, low), high: intTensor(shape, high) };
}
