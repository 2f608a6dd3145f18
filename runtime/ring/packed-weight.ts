import type { IntTensor } from "./tensor.ts";

/** Columns of a panel. A panel is K/2 pairs of rows of 16 columns, the two rows of a pair side by side. */
export const PANEL = 16;
/** Bits of a part of a weight. */
export const PART = 16;

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

/** A weight Σ part_k · 2^(16·k): of one part if it fits 16 bits, else of two. */
export type WeightParts = readonly PackedWeight[];

const packed = new WeakMap<Float64Array, WeightParts | "wider">();

/**
 * The panels of weights [..., K, N], packed once, because weights never change. Undefined for a meta tensor and if a
 * weight fits no two parts.
 */
export function packedWeight(w: IntTensor): WeightParts | undefined {
  if (w.data === undefined) return undefined;
  const [depth, columns] = [w.shape.at(-2)!, w.shape.at(-1)!];
  let parts = packed.get(w.data);
  // The same values in another shape have other panels.
  if (parts === undefined || (parts !== "wider" && (parts[0]!.depth !== depth || parts[0]!.columns !== columns))) {
    parts = packParts(w.data, depth, columns) ?? "wider";
    packed.set(w.data, parts);
  }
  return parts === "wider" ? undefined : parts;
}

/** Weights beyond 16 bits whose high part has 16 bits too. */
const widest = 2 ** 31 - 2 ** 15;

function packParts(weights: Float64Array, depth: number, columns: number): WeightParts | undefined {
  let most = 0;
  let strays = 0;
  for (let at = 0; at < weights.length; at++) {
    const x = weights[at]!;
    const whole = x | 0;
    strays |= Number(whole !== x);
    // −1 − x where x is negative: two's complement reaches one farther down.
    most = Math.max(most, whole ^ (whole >> 31));
  }
  if (strays !== 0 || most >= widest) return undefined;
  const low = packPanels(weights, depth, columns, 0);
  return most < 2 ** 15 ? [low] : [low, packPanels(weights, depth, columns, 1)];
}

/** Part 0 holds the low 16 bits as −2^15 … 2^15 − 1, part 1 what remains of the weight, in units of 2^16. */
function packPanels(weights: Float64Array, depth: number, columns: number, part: 0 | 1): PackedWeight {
  const pairs = Math.ceil(depth / 2);
  const panels = Math.ceil(columns / PANEL);
  const matrices = weights.length / (depth * columns);
  const data = new Int16Array(matrices * panels * pairs * 2 * PANEL);
  let bound = 0;
  for (let row = 0; row < matrices * depth; row++) {
    const k = row % depth;
    const matrix = (row - k) / depth;
    for (let panel = 0; panel < panels; panel++) {
      const first = panel * PANEL;
      const from = row * columns + first;
      const to = ((matrix * panels + panel) * pairs + (k >> 1)) * 2 * PANEL + (k & 1);
      const held = Math.min(PANEL, columns - first);
      for (let column = 0; column < held; column++) {
        const weight = weights[from + column]! | 0;
        // Halves round up, so a low part of exactly 2^15 cannot occur: it is −2^15.
        const value = part === 0 ? (weight << 16) >> 16 : (weight + 2 ** 15) >> 16;
        data[to + 2 * column] = value;
        bound = Math.max(bound, Math.abs(value));
      }
    }
  }
  return { depth, columns, pairs, panels, bound, data };
}
