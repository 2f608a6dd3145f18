/**
 * At least 30 specs of every protocol, drawn systematically: ranks, single elements, odd extents and widths, other
 * rings and scales. Tests that hold for all protocols loop over the registry and take their specs from here.
 *
 * A new protocol adds one entry to `rows`, under its name:
 * - elementwise:            "x.op": elementwise(unary({ lo, hi }))                     one operand
 *                           "x.op": elementwise(binary({ ... }))                       two that broadcast
 * - over the last axis:     "x.op": rowwise((shape, number) => spec)
 * - anything else:          "x.op": { specs: [...], draws: (spec) => independent masks }
 * A spec that the protocol refuses is left out; fewer than 30 that remain fail the test. `inputs` gives reals for the
 * operands where uniform ones in [lo, hi] would leave the bounds that the attributes promise; `attrs` are the
 * protocol's own. What is expected comes from the operator's table in ir/ops.
 */
import { opDef, withDefaults } from "../../ir/registry.ts";
import type { Tensor } from "../../ir/weights.ts";
import type { Protocol, Spec } from "../../runtime/protocols/define.ts";
import { type Shape, sizeOf } from "../../runtime/ring/tensor.ts";
import { convShapes, convSpec, poolShapes, poolSpec } from "./convolutions.ts";
import { lookupSpecs } from "./lookups.ts";
import { orderingRows } from "./ordering-specs.ts";
import { declaredUlps, fixed, quantised, reals, resolve } from "./protocols.ts";
import { binary, elements, elementwise, rowsOf, rowwise, type SpecRow, unary } from "./spec-grids.ts";

const activation = elementwise([...unary({ lo: -32, hi: 32 }), ...unary({ lo: -2, hi: 2, scales: [[12, 12]] })]);
const matrices: readonly (readonly [Shape, Shape, Shape])[] = [
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
const weightMatrices: typeof matrices = [
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
const matmulScales = [
  [12, 12, 24],
  [8, 10, 18],
  [0, 0, 0],
  [6, 9, 15],
  [10, 3, 13],
] as const;

/** Rows with elements of at least half the bound, of either sign in turn: their sums and deviations stay within bounds. */
const signedRows: SpecRow["inputs"] = ({ operands: [x] }, trial) => [
  reals(sizeOf(x!.shape), x!.hi / 2, x!.hi, trial).map((v, k) => (k % 2 === 0 ? v : -v)),
];
const normSpecs = rowwise((shape, setting) => {
  const n = shape[shape.length - 1]!;
  const bound = [4, 1, 16, 2, 0.5][setting]!;
  const to = [12, 10, 12, 14, 8][setting]!;
  return {
    operands: [fixed(shape, [12, 10, 8, 12, 13][setting]!, -bound, bound)],
    result: fixed(shape, to, -8, 8, [40, 36, 44, 33, 31][setting]!),
    attrs: { epsilon: 1e-5, sum_lo: (n * bound * bound) / 4.5, sum_hi: n * bound * bound },
  };
}, 5);
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

/** [batch, heads, groups, places, depth, columns] */
const attentionSizes = [
  [1, 1, 1, 1, 1, 1],
  [1, 2, 1, 3, 4, 5],
  [2, 2, 2, 4, 3, 4],
  [1, 4, 2, 2, 8, 7],
  [1, 1, 1, 5, 2, 9],
] as const;
const attentionSpecs = [0, 1, 2].flatMap((setting) =>
  attentionSizes.flatMap(([batch, heads, groups, places, depth, columns]) =>
    [true, false].map((causal) => {
      const scale = [0.35, 1 / Math.LOG2E, 0.5][setting]!;
      const [q, v, to, width] = [[8, 10, 12, 36] as const, [7, 9, 10, 34] as const, [9, 8, 11, 33] as const][setting]!;
      return {
        operands: [
          fixed([batch, heads, places, depth], q, -2, 2),
          fixed([batch, groups, columns, depth], q, -2, 2),
          fixed([batch, groups, columns, depth], v, -3, 3),
          ...(setting === 2 ? [fixed([1, 1, places, columns], 8, -4, 2)] : []),
        ],
        result: fixed([batch, heads, places, depth], to, -3, 3, width),
        attrs: { scale, causal, score_bound: 4 * depth * scale * 1.45 },
      } satisfies Spec;
    }),
  ),
);

/** Each with a past of one, two and six places. */
const cachedSpecs = attentionSpecs
  .filter(({ operands }) => operands.length === 3)
  .flatMap((spec) =>
    [1, 2, 6].map((past): Spec => {
      const kept = spec.operands.slice(1).map((operand) => ({ ...operand, shape: operand.shape.with(2, past) }));
      return { ...spec, operands: [...spec.operands, ...kept] };
    }),
  );

const dropping = (widths: readonly number[], lo = -200, hi = 200) =>
  unary({ lo, hi, widths, scales: [1, 3, 7, 12, 19].map((by) => [by + 6, 6] as const) }).map((spec) => ({
    ...spec,
    attrs: { by: spec.operands[0]!.scale - 6 },
  }));

const inverseOf = (lo: number, hi: number) => elementwise(unary({ lo, hi, to: [0, 1 / lo], widths: [40, 38, 33, 41] }));

const sines = [-0.0818, 1.25, 0, 0.3];
const orders = elementwise(
  binary({ bounds: [30, 30, 1], scales: [0, 4, 8, 12, 21].map((s) => [s, s, 0] as const), widths: [1] }).map(
    (spec, k) => ({
      ...spec,
      attrs: { kind: ["less", "less-or-equal", "greater", "greater-or-equal"][k % 4]! },
    }),
  ),
);
/** Rings in which the local truncation fails once in 2^30 products. */
const products = elementwise(
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

/** In the ring of 64 bits, where three computing parties hold everything. */
const oneRing = (specs: readonly Spec[]): readonly Spec[] =>
  specs.map((spec) => ({ ...spec, result: { ...spec.result, width: 64 } }));
const equalScales = [0, 4, 8, 12, 21].map((s) => [s, s] as const);
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

const rows: Readonly<Record<string, SpecRow>> = {
  ...orderingRows,
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
  "coarse-max.attention": { specs: attentionSpecs, draws: rowsOf },
  "coarse-max.cached-attention": { specs: cachedSpecs, draws: rowsOf },
  "coarse-max.softmax": { specs: softmaxSpecs, draws: rowsOf },
  "dpf.lookup": { specs: lookupSpecs([7, 9]), draws: elements },
  "faithful.truncate": elementwise(dropping([20, 33, 40, 47])),
  "fixed-weight.matmul": {
    specs: binary({ bounds: [8, 4, 600], scales: matmulScales, widths: [40, 37, 44, 64], pairs: weightMatrices }),
    draws: rowsOf,
  },
  "fourier.erf": activation,
  "fourier.gelu": activation,
  "fourier.sigmoid": activation,
  "fourier.silu": activation,
  "fourier.tanh": activation,
  "known-weight.conv": {
    specs: [31, 32, 37, 44, 64].flatMap((width) =>
      convShapes.map((shape) => convSpec(shape, [10, 0], [8, 1000], width)),
    ),
    draws: elements,
  },
  "known-weight.matmul": {
    specs: binary({ bounds: [8, 4, 600], scales: matmulScales, widths: [40, 37, 44, 64], pairs: weightMatrices }),
    draws: rowsOf,
  },
  "known-weight.mul": {
    specs: binary({ bounds: [8, 4, 32], scales: matmulScales, widths: [40, 37, 44, 64] }).map((spec) => ({
      ...spec,
      // The weight broadcasts to the operand, not the other way round.
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
  "masked.relu": elementwise(unary({ lo: -30, hi: 30 })),
  "octaves.reciprocal": inverseOf(0.2, 20),
  "octaves.rsqrt": inverseOf(0.5, 30),
  "one-opening.layer-norm": {
    // A row of one has no deviation.
    specs: [1e-5, 1e-3, 1e-2]
      .flatMap((epsilon) => normSpecs.map((spec) => ({ ...spec, attrs: { ...spec.attrs, epsilon } })))
      .filter(({ operands: [x] }) => x!.shape[x!.shape.length - 1]! % 2 === 0),
    draws: rowsOf,
    inputs: signedRows,
  },
  "one-opening.rms-norm": { specs: normSpecs, draws: rowsOf, inputs: signedRows },
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
  "private.lookup": {
    specs: [
      [4, 1],
      [2, 3],
      [7, 2],
      [33, 5],
      [1, 4],
    ].flatMap(([rows, columns], k) =>
      [[1], [6], [2, 3], [1, 2, 5], [9], [4, 1]].map((places, j) => ({
        operands: [fixed([rows!, columns!], [12, 8, 0][j % 3]!, -8, 8), fixed(places, 0, -rows!, rows! - 1)],
        result: fixed([...places, columns!], [12, 8, 0][j % 3]!, -8, 8, [64, 31, 40, 33, 20][(j + k) % 5]!),
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
  "replicated.logic": elementwise(
    binary({ bounds: [1, 1, 1], scales: Array.from({ length: 5 }, () => [0, 0, 0] as const), widths: [1, 64, 40] }).map(
      (spec, k) => ({
        ...spec,
        operands: spec.operands.map((x) => ({ ...x, lo: 0 })),
        attrs: { kind: ["and", "or", "xor"][(k + Math.floor(k / 9)) % 3]! },
      }),
    ),
  ),
  "replicated.not": elementwise(
    unary({ lo: 0, hi: 1, scales: [[0, 0]], widths: [1, 64, 40, 33] }).concat(
      unary({ lo: 0, hi: 1, scales: Array.from({ length: 3 }, () => [0, 0] as const), widths: [64, 1, 20] }),
    ),
  ),
  "replicated.compare": relations,
  "replicated.compare-public": relations,
  "replicated.matmul": {
    specs: binary({ bounds: [8, 8, 1100], scales: matmulScales, widths: [64, 61, 40], pairs: matrices }),
    draws: rowsOf,
  },
  "replicated.maximum": maxima,
  "replicated.maximum-public": maxima,
  "replicated.mul": products,
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
  // A ring in which the shift fails once in 2^38 elements.
  "same-ring.truncate": elementwise(dropping([64, 61, 63, 60])),
  "seeded.share": elementwise(
    unary({ lo: -200, hi: 200, scales: [0, 4, 8, 12, 21].map((s) => [s, s] as const), widths: [64, 31, 33, 44] }),
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
  "separable.exp": elementwise([
    ...unary({ lo: -20, hi: 0, to: [0, 1], widths: [30, 33, 28, 37] }),
    ...unary({ lo: -3, hi: 3, to: [0, 21], widths: [30, 33, 28, 37] }),
  ]),
  "tournament.max-pool": {
    specs: [11, 16, 31, 40, 64].flatMap((width) => poolShapes.map((shape) => poolSpec(shape, width))),
    draws: elements,
  },
};

/** The row of a protocol without the specs that it refuses. @throws Error if it has no row, or fewer than 30 are left. */
export function specsOf(protocol: Protocol): SpecRow {
  const row = rows[protocol.name];
  if (!row) throw new Error(`${protocol.name} has no specs: add one entry to test/harness/specs.ts`);
  const specs = row.specs.filter((spec) => {
    const widths = protocol.operandWidths(spec);
    return !protocol.refuses?.({ ...spec, operands: spec.operands.map((x, k) => ({ ...x, width: widths[k]! })) });
  });
  if (specs.length < 30)
    throw new Error(`${protocol.name} has ${specs.length} specs that it takes, at least 30 are due`);
  return { ...row, specs };
}

/** Reals for the operands, on the grids of their scales. */
export function inputsOf({ inputs }: SpecRow, spec: Spec, trial: number): readonly Float64Array[] {
  const drawn =
    inputs?.(spec, trial) ??
    spec.operands.map((x, k) => reals(sizeOf(x.shape), x.lo, x.hi, trial * spec.operands.length + k));
  return drawn.map((x, k) => quantised(x, spec.operands[k]!.scale));
}

/** What the operator's table says: on the integers where the protocol is exact, as the interpreter does it; else the real function. */
export function expectedOf(protocol: Protocol, spec: Spec, inputs: readonly Float64Array[]): Float64Array {
  const def = opDef(protocol.implements);
  const attrs = withDefaults(def, spec.attrs);
  const real = inputs.map((data, k): Tensor => ({ shape: spec.operands[k]!.shape, data }));
  const { scale } = resolve(protocol, spec).result;
  if (declaredUlps(protocol, spec) > 0) return def.evaluate(real, attrs).data;
  const scales = spec.operands.map((operand) => operand.scale);
  const raw = real.map(({ shape, data }, k) => ({ shape, data: data.map((v) => v * 2 ** scales[k]!) }));
  if (typeof def.fixed === "function") return def.fixed(raw, attrs, scales, scale).data.map((v) => v / 2 ** scale);
  if (def.fixed === "integers") return def.evaluate(raw, attrs).data.map((v) => v / 2 ** scale);
  return quantised(def.evaluate(real, attrs).data, scale);
}
