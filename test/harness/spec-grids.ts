import type { Spec } from "../../runtime/protocols/kit/define-protocol.ts";
import { type Shape, sizeOf } from "../../runtime/ring/tensor.ts";
import { fixed } from "./execute-protocol.ts";

/** Grids of specs, for the rows of spec-table.ts. */

export interface ProtocolSpecs {
  readonly specs: readonly Spec[];
  /** Number of elements, or rows, of the result whose masks are independent draws; each counts as one seed. */
  readonly draws: (spec: Spec) => number;
  /** Default: uniform reals within each operand's bounds, with the bounds themselves and zero. */
  readonly inputs?: (spec: Spec, trial: number) => readonly Float64Array[];
}

export const elements: ProtocolSpecs["draws"] = ({ result }) => sizeOf(result.shape);
export const rowsOf: ProtocolSpecs["draws"] = ({ result: { shape } }) =>
  sizeOf(shape) / Math.max(1, shape[shape.length - 1] ?? 1);

/** Ranks 0 to 4, one element, sizes that fill no byte. */
const shapes: readonly Shape[] = [[], [1], [7], [8], [33], [3, 5], [2, 1, 4], [1, 1, 1, 1], [5, 2, 3]];
const rowShapes: readonly Shape[] = [
  [8, 3],
  [1, 1],
  [4, 8],
  [3, 2, 5],
  [1, 17],
  [2, 1, 1, 4],
  [5, 6],
];
/** Pairs that broadcast. */
const shapePairs: readonly (readonly [Shape, Shape, Shape])[] = [
  [[], [], []],
  [[1], [1], [1]],
  [[7], [], [7]],
  [[3, 5], [5], [3, 5]],
  [
    [3, 1],
    [1, 5],
    [3, 5],
  ],
  [
    [2, 3, 4],
    [3, 1],
    [2, 3, 4],
  ],
  [[33], [33], [33]],
];

export interface Unary {
  readonly lo: number;
  readonly hi: number;
  /** Bounds of the result: those of the operand by default. */
  readonly to?: readonly [lo: number, hi: number];
  /** Fractional bits of operand and result. */
  readonly scales?: readonly (readonly [from: number, to: number])[];
  /** Widths of the result's ring. */
  readonly widths?: readonly number[];
  readonly attrs?: readonly Spec["attrs"][];
}

/** Scales, rings and attributes cycle along with the shapes, so that each value meets shapes of both parities. */
export function unary(u: Unary): readonly Spec[] {
  const scales =
    u.scales ??
    ([
      [12, 12],
      [8, 12],
      [14, 10],
      [10, 8],
      [9, 15],
    ] as const);
  const widths = u.widths ?? [40, 31, 33, 37];
  const [lo, hi] = u.to ?? [u.lo, u.hi];
  return scales.flatMap(([from, to], i) =>
    shapes.map((shape, j) => ({
      operands: [fixed(shape, from, u.lo, u.hi)],
      result: fixed(shape, to, lo, hi, widths[(i + j) % widths.length]!),
      attrs: (u.attrs ?? [{}])[(i + j) % (u.attrs?.length ?? 1)]!,
    })),
  );
}

export interface Binary {
  /** Magnitude of each operand and of the result. */
  readonly bounds: readonly [x: number, y: number, result: number];
  readonly scales: readonly (readonly [x: number, y: number, result: number])[];
  readonly widths: readonly number[];
  readonly pairs?: readonly (readonly [Shape, Shape, Shape])[];
}

export function binary(b: Binary): readonly Spec[] {
  const [x, y, z] = b.bounds;
  return b.scales.flatMap(([from, and, to], i) =>
    (b.pairs ?? shapePairs).map(([left, right, result], j) => ({
      operands: [fixed(left, from, -x, x), fixed(right, and, -y, y)],
      result: fixed(result, to, -z, z, b.widths[(i + j) % b.widths.length]!),
      attrs: {},
    })),
  );
}

export const elementwise = (specs: readonly Spec[]): ProtocolSpecs => ({ specs, draws: elements });

/** Specs over the last axis: every shape with every one of the settings that `make` numbers from 0. */
export function rowwise(make: (shape: Shape, setting: number) => Spec, settings: number): readonly Spec[] {
  return [...Array(settings).keys()].flatMap((setting) => rowShapes.map((shape) => make(shape, setting)));
}

/** Pairs of matrices, with batches. */
export const matrices: readonly (readonly [Shape, Shape, Shape])[] = [
  [
    [1, 1],
    [1, 1],
    [1, 1],
  ],
  [
    [3, 5],
    [5, 2],
    [3, 2],
  ],
  [
    [1, 7],
    [7, 3],
    [1, 3],
  ],
  [
    [2, 4, 3],
    [2, 3, 1],
    [2, 4, 1],
  ],
  [
    [2, 3, 2, 5],
    [2, 3, 5, 3],
    [2, 3, 2, 3],
  ],
  [
    [9, 16],
    [16, 1],
    [9, 1],
  ],
];
/** Matrices times a weight without batches. */
export const weightMatrices: typeof matrices = [
  [
    [1, 1],
    [1, 1],
    [1, 1],
  ],
  [
    [3, 5],
    [5, 2],
    [3, 2],
  ],
  [
    [1, 7],
    [7, 3],
    [1, 3],
  ],
  [
    [2, 4, 3],
    [3, 5],
    [2, 4, 5],
  ],
  [
    [9, 16],
    [16, 1],
    [9, 1],
  ],
  [
    [2, 2, 3, 4],
    [4, 7],
    [2, 2, 3, 7],
  ],
];
/** Fractional bits of both operands and of a result that keeps them all. */
export const matmulScales = [
  [12, 12, 24],
  [8, 10, 18],
  [0, 0, 0],
  [6, 9, 15],
  [10, 3, 13],
] as const;

export const equalScales = [0, 4, 8, 12, 21].map((s) => [s, s] as const);
/** Rings in which the local truncation fails once in 2^30 products. */
export const products = elementwise(
  binary({
    bounds: [16, 8, 128],
    scales: [
      [12, 12, 12],
      [8, 10, 18],
      [0, 0, 0],
      [6, 14, 8],
      [12, 3, 13],
    ],
    widths: [64, 61],
  }),
);

/** Truncations by 1 to 19 bits, to 6 fractional bits. */
export const dropping = (widths: readonly number[], lo = -200, hi = 200) =>
  unary({ lo, hi, widths, scales: [1, 3, 7, 12, 19].map((by) => [by + 6, 6] as const) }).map((spec) => ({
    ...spec,
    attrs: { by: spec.operands[0]!.scale - 6 },
  }));
