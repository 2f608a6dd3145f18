import { fixed } from "./execute-protocol.ts";
import {
  binary,
  dropping,
  elementwise,
  matmulScales,
  matrices,
  type ProtocolSpecs,
  products,
  rowsOf,
  unary,
  weightMatrices,
} from "./spec-grids.ts";

/** Specs of CrypTen's protocols and of those that follow it. */

const sines = [-0.0818, 1.25, 0, 0.3];
const orders = elementwise(
  binary({ bounds: [30, 30, 1], scales: [0, 4, 8, 12, 21].map((s) => [s, s, 0] as const), widths: [1] }).map(
    (spec, k) => ({
      ...spec,
      attrs: { kind: ["less", "less-or-equal", "greater", "greater-or-equal"][k % 4]! },
    }),
  ),
);

export const cryptenRows: Readonly<Record<string, ProtocolSpecs>> = {
  "a2b.cast": elementwise(
    unary({
      lo: 0,
      hi: 1,
      scales: [0, 4, 8, 12, 21].map((to) => [0, to] as const),
      widths: [64],
      attrs: [{ to: "f32" }],
    }),
  ),
  "a2b.compare": orders,
  "a2b.compare-public": orders,
  "a2b.relu": elementwise(unary({ lo: -30, hi: 30, to: [0, 30], widths: [64] })),
  "beaver.matmul": {
    specs: binary({ bounds: [8, 8, 1100], scales: matmulScales, widths: [40, 37, 44, 64], pairs: matrices }),
    draws: rowsOf,
  },
  "beaver.mul": products,
  "beaver.square": elementwise(unary({ lo: -30, hi: 30, to: [0, 900], widths: [64] })),
  "beaver.weight-matmul": {
    specs: binary({ bounds: [8, 4, 600], scales: matmulScales, widths: [40, 37, 44, 64], pairs: weightMatrices }),
    draws: rowsOf,
  },
  "beaver.weight-mul": products,
  "beaver.where": elementwise(
    unary({ lo: -200, hi: 200, scales: [0, 4, 8, 12, 21].map((s) => [s, s] as const), widths: [64, 61, 40, 44] }).map(
      (spec) => ({ ...spec, operands: [fixed(spec.result.shape, 0, 0, 1), spec.operands[0]!, spec.operands[0]!] }),
    ),
  ),
  "opened.sine-series": elementwise(
    unary({
      lo: -100,
      hi: 100,
      to: [-2, 2],
      widths: [64, 50],
      attrs: [8, 16, 64].map((period) => ({ period, sines })),
    }),
  ),
  // A ring in which the shift fails once in 2^38 elements.
  "same-ring.truncate": elementwise(dropping([64, 61, 63, 60])),
};
