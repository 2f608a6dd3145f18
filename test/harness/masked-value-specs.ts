import type { Spec } from "../../runtime/protocols/kit/define-protocol.ts";
import { convShapes, convSpec } from "./convolution-specs.ts";
import { fixed } from "./execute-protocol.ts";
import { lookupSpecs } from "./lookup-tests.ts";
import {
  binary,
  dropping,
  elements,
  elementwise,
  matmulScales,
  matrices,
  type ProtocolSpecs,
  rowsOf,
  unary,
  weightMatrices,
} from "./spec-grids.ts";

/** Shares in rings whose residues a double holds. */
const handed = unary({
  ...{ lo: -200, hi: 200, scales: [0, 4, 8, 12, 21].map((s) => [s, s] as const), widths: [53, 31, 33, 44] },
});

/** Shape of x, and the columns and rank of each pair. */
const lowRankShapes = [
  { x: [1, 1], pairs: [[1, 1]] },
  { x: [3, 5], pairs: [[2, 2]] },
  { x: [4, 1, 3], pairs: [[7, 1]] },
  {
    x: [17, 2],
    pairs: [
      [1, 1],
      [1, 3],
    ],
  },
  {
    x: [1, 2, 7],
    pairs: [
      [3, 1],
      [1, 4],
      [5, 2],
    ],
  },
] as const;

function lowRankSpec({ x, pairs }: (typeof lowRankShapes)[number], width: number): Spec {
  const ranks = pairs.reduce((sum, [, rank]) => sum + rank, 0);
  const columns = pairs.reduce((sum, [count]) => sum + count, 0);
  return {
    operands: [
      fixed(x, 8, -4, 4),
      fixed([x.at(-1)!, ranks], 4, -2, 2),
      ...pairs.map(([count, rank]) => fixed([rank, count], 4, -2, 2)),
    ],
    result: fixed([...x.slice(0, -1), columns], 16, -448, 448, width),
    attrs: {},
  };
}

/** Specs of the protocols that share, open, multiply, truncate and look up. */
export const maskedValueRows: Readonly<Record<string, ProtocolSpecs>> = {
  "dpf.lookup": { specs: lookupSpecs([7, 9]), draws: elements },
  "faithful.truncate": elementwise(dropping([20, 33, 40, 47])),
  "fixed-weight.matmul": {
    specs: binary({ bounds: [8, 4, 600], scales: matmulScales, widths: [40, 37, 44, 64], pairs: weightMatrices }),
    draws: rowsOf,
  },
  "known-weight.conv": {
    specs: [31, 32, 37, 44, 64].flatMap((width) =>
      convShapes.map((shape) => convSpec(shape, [10, 0], [8, 1000], width)),
    ),
    draws: elements,
  },
  "known-weight.low-rank": {
    specs: [33, 37, 40, 44, 51, 64].flatMap((width) => lowRankShapes.map((shape) => lowRankSpec(shape, width))),
    draws: rowsOf,
  },
  "known-weight.matmul": {
    specs: binary({ bounds: [8, 4, 600], scales: matmulScales, widths: [40, 37, 44, 64], pairs: weightMatrices }),
    draws: rowsOf,
  },
  "known-weight.mul": {
    specs: binary({ bounds: [8, 4, 32], scales: matmulScales, widths: [40, 37, 44, 64] }).map((spec) => ({
      ...spec,
      // The weight broadcasts to the operand, not vice versa.
      operands: [{ ...spec.operands[0]!, shape: spec.result.shape }, spec.operands[1]!],
    })),
    draws: elements,
  },
  "local.truncate": elementwise(dropping([20, 33, 40, 29])),
  "masked.conv": {
    specs: [31, 32, 37, 44, 64].flatMap((width) => convShapes.map((shape) => convSpec(shape, [8, 8], [4, 4], width))),
    draws: elements,
  },
  "masked.extend": elementwise(
    unary({ lo: -30, hi: 30, scales: [0, 5, 12, 16, 20].map((s) => [s, s] as const), widths: [64, 41, 33, 31] }),
  ),
  "masked.matmul": {
    specs: binary({ bounds: [8, 8, 1100], scales: matmulScales, widths: [40, 37, 44, 64], pairs: matrices }),
    draws: rowsOf,
  },
  "masked.mul": elementwise(
    binary({
      bounds: [16, 8, 128],
      scales: [
        [12, 12, 12],
        [8, 10, 18],
        [0, 0, 0],
        [6, 14, 8],
        [12, 3, 13],
      ],
      widths: [40, 37, 31, 45],
    }),
  ),
  "masked.open": elementwise(
    unary({ lo: -200, hi: 200, scales: [0, 4, 8, 12, 21].map((s) => [s, s] as const), widths: [64, 31, 33, 44] }),
  ),
  "one-way.reveal": elementwise(
    unary({
      lo: -200,
      hi: 200,
      scales: [0, 4, 8, 12, 21].map((s) => [s, s] as const),
      widths: [64, 31, 33, 44],
      attrs: [{ to: "client" }, { to: "server" }],
    }),
  ),
  "ottt.lookup": { specs: lookupSpecs([1, 3, 6]), draws: elements },
  "seeded.hand-over": elementwise(handed),
  "seeded.server-share": elementwise(
    unary({ lo: -200, hi: 200, scales: [0, 4, 8, 12, 21].map((s) => [s, s] as const), widths: [64, 31, 33, 44] }),
  ),
  "seeded.share": elementwise(
    unary({ lo: -200, hi: 200, scales: [0, 4, 8, 12, 21].map((s) => [s, s] as const), widths: [64, 31, 33, 44] }),
  ),
  "seeded.take-over": elementwise(handed),
};
