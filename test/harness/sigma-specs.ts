import type { Spec } from "../../runtime/protocols/kit/define-protocol.ts";
import { fixed } from "./execute-protocol.ts";
import { attentionSizes, layerNormSpecs, normSpecs, signedRows } from "./nonlinear-specs.ts";
import {
  binary,
  dropping,
  elementwise,
  matmulScales,
  matrices,
  type ProtocolSpecs,
  rowsOf,
  unary,
  weightMatrices,
} from "./spec-grids.ts";

/** Specs of SIGMA's protocols: keys of point functions, and equal scales of operands and results. */

const activation = elementwise(
  unary({ lo: -60, hi: 60, scales: [12, 8, 10, 14, 7].map((s) => [s, s] as const), widths: [37, 50, 44, 40] }),
);
/** Rings with room for the products of rows and their inverse roots. */
const norms = (specs: readonly Spec[]): ProtocolSpecs => ({
  specs: specs.map((spec) => ({ ...spec, result: { ...spec.result, width: spec.result.width + 6 } })),
  draws: rowsOf,
  inputs: signedRows,
});
/** Exponents are clipped to 16 bits: at 12 fractional bits, e^−16 is the least. */
const attentionSpecs = [12, 11, 10].flatMap((bits, setting) =>
  attentionSizes.flatMap(([batch, heads, groups, positions, depth, columns]) =>
    [true, false].map((causal): Spec => {
      const keys = [batch, groups, columns, depth];
      return {
        operands: [
          fixed([batch, heads, positions, depth], bits, -2, 2),
          fixed(keys, bits, -2, 2),
          fixed(keys, bits, -3, 3),
        ],
        result: fixed([batch, heads, positions, depth], bits, -3, 3, [50, 44, 40][setting]!),
        attrs: { scale: [0.35, 0.5, 1][setting]!, causal, window: [0, 2, 4][setting]! },
      };
    }),
  ),
);

export const sigmaRows: Readonly<Record<string, ProtocolSpecs>> = {
  "sigma.attention": { specs: attentionSpecs, draws: rowsOf },
  "sigma.gelu": activation,
  "sigma.layer-norm": norms(layerNormSpecs),
  "sigma.matmul": {
    specs: binary({ bounds: [8, 4, 600], scales: matmulScales, widths: [40, 37, 44, 64], pairs: weightMatrices }),
    draws: rowsOf,
  },
  "sigma.mul": elementwise(binary({ bounds: [8, 4, 32], scales: matmulScales, widths: [40, 37, 44, 64] })),
  "sigma.rms-norm": norms(normSpecs),
  "sigma.shared-matmul": {
    specs: binary({ bounds: [8, 8, 1100], scales: matmulScales, widths: [40, 37, 44, 64], pairs: matrices }),
    draws: rowsOf,
  },
  "sigma.shared-mul": elementwise(binary({ bounds: [8, 4, 32], scales: matmulScales, widths: [40, 37, 44, 64] })),
  "sigma.silu": activation,
  "sigma.truncate": elementwise(dropping([40, 47, 50, 64])),
  "sigma.truncate-with-slack": elementwise(dropping([40, 47, 50, 64])),
};
