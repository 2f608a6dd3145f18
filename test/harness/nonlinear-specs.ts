import type { Spec } from "../../runtime/protocols/kit/define-protocol.ts";
import { sizeOf } from "../../runtime/ring/tensor.ts";
import { poolShapes, poolSpec } from "./convolution-specs.ts";
import { fixed, reals } from "./execute-protocol.ts";
import { elements, elementwise, type ProtocolSpecs, rowsOf, rowwise, unary } from "./spec-grids.ts";

/** Specs of activations, norms, softmax and attention. */

const activation = elementwise([...unary({ lo: -32, hi: 32 }), ...unary({ lo: -2, hi: 2, scales: [[12, 12]] })]);
/**
 * Rows with elements of at least half the bound, with alternating signs: their sums and deviations stay within bounds.
 */
export const signedRows: NonNullable<ProtocolSpecs["inputs"]> = ({ operands: [x] }, trial) => [
  reals(sizeOf(x!.shape), x!.hi / 2, x!.hi, trial).map((v, k) => (k % 2 === 0 ? v : -v)),
];
export const normSpecs = rowwise((shape, setting) => {
  const n = shape[shape.length - 1]!;
  const bound = [4, 1, 16, 2, 0.5][setting]!;
  const to = [12, 10, 12, 14, 8][setting]!;
  return {
    operands: [fixed(shape, [12, 10, 8, 12, 13][setting]!, -bound, bound)],
    result: fixed(shape, to, -8, 8, [40, 36, 44, 33, 31][setting]!),
    attrs: { epsilon: 1e-5, sum_lo: (n * bound * bound) / 4.5, sum_hi: n * bound * bound },
  };
}, 5);
/** A row of one element has no deviation. */
export const layerNormSpecs = [1e-5, 1e-3, 1e-2]
  .flatMap((epsilon) => normSpecs.map((spec) => ({ ...spec, attrs: { ...spec.attrs, epsilon } })))
  .filter(({ operands: [x] }) => x!.shape[x!.shape.length - 1]! % 2 === 0);
const softmaxSpecs = rowwise(
  (shape, setting) => ({
    operands: [
      fixed(shape, [12, 8, 10, 12, 14][setting]!, -[8, 20, 1, 40, 0.1][setting]!, [8, 20, 1, 40, 0.1][setting]!),
    ],
    result: fixed(shape, [12, 16, 8, 12, 20][setting]!, 0, 1, [30, 31, 44, 20, 40][setting]!),
    attrs: { axis: -1 },
  }),
  5,
);

/** [batch, heads, groups, positions, depth, columns] */
export const attentionSizes = [
  [1, 1, 1, 1, 1, 1],
  [1, 2, 1, 3, 4, 5],
  [2, 2, 2, 4, 3, 4],
  [1, 4, 2, 2, 8, 7],
  [1, 1, 1, 5, 2, 9],
] as const;
const attentionSpecs = [0, 1, 2, 3].flatMap((setting) =>
  attentionSizes.flatMap(([batch, heads, groups, positions, depth, columns]) =>
    [true, false].map((causal) => {
      const scale = [0.35, 1 / Math.LOG2E, 0.5, 1 / Math.LOG2E][setting]!;
      const [q, v, to, width] = [
        [8, 10, 12, 36] as const,
        [7, 9, 10, 34] as const,
        [9, 8, 11, 33] as const,
        [12, 14, 18, 38] as const,
      ][setting]!;
      return {
        operands: [
          fixed([batch, heads, positions, depth], q, -2, 2),
          fixed([batch, groups, columns, depth], q, -2, 2),
          fixed([batch, groups, columns, depth], v, -3, 3),
          ...(setting === 2 ? [fixed([1, 1, positions, columns], 8, -4, 2)] : []),
        ],
        result: fixed([batch, heads, positions, depth], to, -3, 3, width),
        attrs: { scale, causal, window: [0, 2, 4, 0][setting]!, score_bound: 4 * depth * scale * 1.45 },
      } satisfies Spec;
    }),
  ),
);

/** Each with a mask, which is an operand like any other. */
const maskedSpecs = attentionSpecs.map((spec, at): Spec => {
  const [q, k] = spec.operands;
  const mask = fixed([1, 1, q!.shape[2]!, k!.shape[2]!], [8, 12, 0][at % 3]!, -4, 2);
  return { ...spec, operands: [...spec.operands.slice(0, 3), mask] };
});

/** Each with a past of one, two and six positions. */
const cachedSpecs = attentionSpecs
  .filter(({ operands }) => operands.length === 3)
  .flatMap((spec) =>
    [1, 2, 6].map((past): Spec => {
      const pastOperands = spec.operands
        .slice(1)
        .map((operand) => ({ ...operand, shape: operand.shape.with(2, past) }));
      return { ...spec, operands: [...spec.operands, ...pastOperands] };
    }),
  );

const inverseOf = (lo: number, hi: number) => elementwise(unary({ lo, hi, to: [0, 1 / lo], widths: [40, 38, 33, 41] }));

export const nonlinearRows: Readonly<Record<string, ProtocolSpecs>> = {
  "coarse-max.attention": { specs: attentionSpecs, draws: rowsOf },
  "coarse-max.attention-known-mask": { specs: maskedSpecs, draws: rowsOf },
  "coarse-max.cached-attention": { specs: cachedSpecs, draws: rowsOf },
  "coarse-max.softmax": { specs: softmaxSpecs, draws: rowsOf },
  "fourier.erf": activation,
  "fourier.gelu": activation,
  "fourier.sigmoid": activation,
  "fourier.silu": activation,
  "fourier.tanh": activation,
  "masked.relu": elementwise(unary({ lo: -30, hi: 30 })),
  "range-reduced.log": elementwise(unary({ lo: 0.3, hi: 30, to: [-2, 4], widths: [40, 38, 33, 41] })),
  "range-reduced.reciprocal": inverseOf(0.2, 20),
  "range-reduced.rsqrt": inverseOf(0.5, 30),
  "range-reduced.sqrt": elementwise(unary({ lo: 0, hi: 30, to: [0, 6], widths: [40, 38, 33, 41] })),
  "one-opening.layer-norm": {
    specs: layerNormSpecs,
    draws: rowsOf,
    inputs: signedRows,
  },
  "one-opening.rms-norm": { specs: normSpecs, draws: rowsOf, inputs: signedRows },
  "separable.exp": elementwise([
    ...unary({ lo: -20, hi: 0, to: [0, 1], widths: [30, 33, 28, 37] }),
    ...unary({ lo: -3, hi: 3, to: [0, 21], widths: [30, 33, 28, 37] }),
  ]),
  "tournament.max-pool": {
    specs: [11, 16, 31, 40, 64].flatMap((width) => poolShapes.map((shape) => poolSpec(shape, width))),
    draws: elements,
  },
};
