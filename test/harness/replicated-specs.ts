import type { Spec } from "../../runtime/protocols/kit/define-protocol.ts";
import { fixed } from "./execute-protocol.ts";
import {
  binary,
  dropping,
  elements,
  elementwise,
  equalScales,
  matmulScales,
  matrices,
  type ProtocolSpecs,
  products,
  rowsOf,
  rowwise,
  unary,
  weightMatrices,
} from "./spec-grids.ts";

/** Specs of the protocols of three computing parties. */

/** In the ring of 64 bits, the only one of three computing parties. */
const oneRing = (specs: readonly Spec[]): readonly Spec[] =>
  specs.map((spec) => ({ ...spec, result: { ...spec.result, width: 64 } }));
const relations = elementwise(
  binary({ bounds: [30, 30, 1], scales: [0, 4, 8, 12, 21].map((s) => [s, s, 0] as const), widths: [1] }).map(
    (spec, k) => ({
      ...spec,
      attrs: { kind: ["less", "less-or-equal", "greater", "equal", "greater-or-equal"][k % 5]! },
    }),
  ),
);
const maxima = elementwise(
  binary({ bounds: [30, 30, 30], scales: [0, 4, 8, 12, 21].map((s) => [s, s, s] as const), widths: [64, 33] }),
);
const choices = elementwise(
  unary({ lo: -200, hi: 200, scales: equalScales, widths: [64, 61, 40, 44] }).map((spec) => ({
    ...spec,
    operands: [fixed(spec.result.shape, 0, 0, 1), spec.operands[0]!, spec.operands[0]!],
  })),
);
const weightOnTheRight = (spec: Spec): Spec => ({
  ...spec,
  operands: [{ ...spec.operands[0]!, shape: spec.result.shape }, spec.operands[1]!],
});

export const replicatedRows: Readonly<Record<string, ProtocolSpecs>> = {
  "private.lookup": {
    specs: [
      [4, 1],
      [2, 3],
      [7, 2],
      [33, 5],
      [1, 4],
    ].flatMap(([rows, columns], k) =>
      [[1], [6], [2, 3], [1, 2, 5], [9], [4, 1]].map((indexShape, j) => ({
        operands: [fixed([rows!, columns!], [12, 8, 0][j % 3]!, -8, 8), fixed(indexShape, 0, -rows!, rows! - 1)],
        result: fixed([...indexShape, columns!], [12, 8, 0][j % 3]!, -8, 8, [64, 31, 40, 33, 20][(j + k) % 5]!),
        attrs: { axis: 0 },
      })),
    ),
    draws: rowsOf,
  },
  "replicated.cast": elementwise(
    unary({
      lo: 0,
      hi: 1,
      scales: [0, 4, 8, 12, 21].map((to) => [0, to] as const),
      widths: [64, 40],
      attrs: [{ to: "f32" }],
    }),
  ),
  "replicated.compare": relations,
  "replicated.compare-public": relations,
  "replicated.logic": elementwise(
    binary({ bounds: [1, 1, 1], scales: Array.from({ length: 5 }, () => [0, 0, 0] as const), widths: [1, 64, 40] }).map(
      (spec, k) => ({
        ...spec,
        operands: spec.operands.map((x) => ({ ...x, lo: 0 })),
        attrs: { kind: ["and", "or", "xor"][(k + Math.floor(k / 9)) % 3]! },
      }),
    ),
  ),
  "replicated.matmul": {
    specs: binary({ bounds: [8, 8, 1100], scales: matmulScales, widths: [64, 61, 40], pairs: matrices }),
    draws: rowsOf,
  },
  "replicated.maximum": maxima,
  "replicated.maximum-public": maxima,
  "replicated.mul": products,
  "replicated.not": elementwise(
    unary({ lo: 0, hi: 1, scales: [[0, 0]], widths: [1, 64, 40, 33] }).concat(
      unary({ lo: 0, hi: 1, scales: Array.from({ length: 3 }, () => [0, 0] as const), widths: [64, 1, 20] }),
    ),
  ),
  "replicated.reduce-max": {
    specs: rowwise(
      (shape, setting) => ({
        operands: [fixed(shape, [12, 0, 8, 20, 5][setting]!, -30, 30)],
        result: fixed([...shape.slice(0, -1), 1], [12, 0, 8, 20, 5][setting]!, -30, 30, 64),
        attrs: { axes: [-1], keepdims: true },
      }),
      5,
    ),
    draws: elements,
  },
  "replicated.relu": elementwise(unary({ lo: -30, hi: 30, to: [0, 30], widths: [64, 40] })),
  "replicated.reveal": elementwise(
    unary({
      lo: -200,
      hi: 200,
      scales: equalScales,
      widths: [64, 31, 33, 44],
      attrs: [{ to: "client" }, { to: "server" }],
    }),
  ),
  "replicated.server-share": elementwise(unary({ lo: -200, hi: 200, scales: equalScales, widths: [64, 31, 33, 44] })),
  "replicated.share": elementwise(unary({ lo: -200, hi: 200, scales: equalScales, widths: [64, 31, 33, 44] })),
  "replicated.square": elementwise(unary({ lo: -30, hi: 30, to: [0, 900], widths: [64, 50] })),
  "replicated.truncate": elementwise(dropping([64, 61, 40, 44])),
  "replicated.truncate-unchecked": elementwise(oneRing(dropping([64], -1, 1))),
  "replicated.weight-matmul": {
    specs: binary({ bounds: [8, 4, 600], scales: matmulScales, widths: [64, 61, 40], pairs: weightMatrices }),
    draws: rowsOf,
  },
  "replicated.weight-mul": { ...products, specs: products.specs.map(weightOnTheRight) },
  "replicated.where": choices,
  "replicated.where-else-public": choices,
  "replicated.where-public": choices,
};
