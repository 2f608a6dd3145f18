import type { Fixed, Protocol, Spec } from "../../runtime/protocols/kit/define-protocol.ts";
import { type LeakCase, leakCase } from "./compare-views.ts";
import { fixed } from "./execute-protocol.ts";
import type { BreakName } from "./leak-breaks.ts";

/** Parts of the rows of the leak tests. */

/** A protocol at full width, with two secrets far apart in high and low bits, and the breaks that must be detected. */
export interface TestedCase extends LeakCase {
  readonly protocol: Protocol;
  readonly breaks: readonly BreakName[];
  /** Fewer samples than usual, where a view holds many words. */
  readonly samples?: number;
  /** Bounds and number of each operand's raw integers, to draw other secrets from. */
  readonly bounds: readonly (readonly [lo: number, hi: number, count: number])[];
}

export type Shapes = (samples: number) => Spec;
export const spec =
  (operands: (n: number) => readonly Fixed[], result: (n: number) => Fixed, attrs: Spec["attrs"] = {}): Shapes =>
  (n) => ({ operands: operands(n), result: result(n), attrs });

export const opening: readonly BreakName[] = [
  "mask is 0",
  "mask has lost its low bit",
  "mask is drawn from a quarter of the ring",
  "seven of eight mask bits are zero",
];
/** Values that are small in their ring do not reach its highest bits: only a mask without low bits is detected. */
export const inWideRing = opening.filter((name) => name !== "mask is drawn from a quarter of the ring");
export const dealing: readonly BreakName[] = ["what the dealer sends is not masked"];
export const comparing: readonly BreakName[] = ["a selecting bit is opened unmasked"];

export function tested(
  protocol: Protocol,
  secrets: LeakCase["secrets"],
  shapes: Shapes,
  breaks: readonly BreakName[],
): TestedCase {
  const bounds = secrets[0].map((values, k) => {
    const both = [...values, ...secrets[1][k]!];
    return [Math.min(...both), Math.max(...both), values.length] as const;
  });
  return { ...leakCase(protocol, secrets, shapes), protocol, breaks, bounds };
}

/** Fewer samples than usual, for rows whose views hold many words or whose kernels are slow. */
export const withSamples = (samples: number, cases: readonly TestedCase[]): readonly TestedCase[] =>
  cases.map((each) => ({ ...each, samples }));

export const elementwise = (
  from: number,
  to: number,
  bound: number,
  width: number,
  attrs: Spec["attrs"] = {},
): Shapes =>
  spec(
    (n) => [fixed([n], from, -bound, bound)],
    (n) => fixed([n], to, -bound, bound, width),
    attrs,
  );

/** Secrets of an elementwise operator: of one operand, and of two. */
export const single: LeakCase["secrets"] = [[[-60001]], [[12346]]];
export const double: LeakCase["secrets"] = [
  [[-60001], [20]],
  [[12346], [30001]],
];
/** A row of two times a column that both secrets share, private or public. */
export const rowTimesColumn: LeakCase["secrets"] = [
  [
    [-(2 ** 40) - 1, 5],
    [3, -7],
  ],
  [
    [12346, 2 ** 39],
    [3, -7],
  ],
];
/** A row and a column: first only the row differs, then both do. */
export const rowDiffers: LeakCase["secrets"] = [
  [
    [-(2 ** 41) - 1, 3],
    [20, 5],
  ],
  [
    [12346, 2 ** 40],
    [20, 5],
  ],
];
export const bothDiffer: LeakCase["secrets"] = [
  rowDiffers[0],
  [
    [12346, 2 ** 40],
    [-(2 ** 41), 77],
  ],
];
/** [n, 1, 2] times [n, 2, 1] in a ring of 44 bits: each sample has its own operands. */
export const matrices = spec(
  (n) => [fixed([n, 1, 2], 12, -300, 300), fixed([n, 2, 1], 12, -100, 100)],
  (n) => fixed([n, 1, 1], 24, -60000, 60000, 44),
);
/** Rows of two. */
export const rowOfTwo: LeakCase["secrets"] = [[[-30001, 9000]], [[12346, -700]]];
export const normed: LeakCase["secrets"] = [[[-15001, 700]], [[2346, 11000]]];
/** Queries, keys and values of two positions and one dimension, raw. */
export const attended: LeakCase["secrets"] = [
  [
    [-501, 300],
    [20, 500],
    [1001, -3000],
  ],
  [
    [246, -35],
    [-500, 3],
    [-2010, 77],
  ],
];
