import { type Module, type Op, opsOf, type ValueId } from "../../ir/module.ts";
import type { Precision } from "../../ir/ops/define.ts";
import type { Interval } from "../../ir/type.ts";
import { usersOf } from "../../ir/uses.ts";
import { analyzeRanges, type Calibration, defaultPrecision, type InnerRange } from "../../passes/4-quantize/index.ts";
import type { PassState } from "../../passes/pass.ts";
import { cacheInfix } from "./architecture-builder.ts";
import { type Architecture, type ArchitectureName, architectures } from "./architectures.ts";

/** Bounds on magnitudes, by kind of value. Scores are in base-2 units; sums of squares are per element of a row. */
interface Magnitudes {
  readonly values: Readonly<Record<string, number>>;
  readonly score: number;
  readonly squares: Interval;
}

const common = {
  query: 30,
  key: 30,
  value: 15,
  attended: 15,
  "low-rank": 15,
  "low-rank-fed": 60,
  pooled: 15,
  logits: 60,
} as const;

/** docs/estimates.md gives the source of each bound, and the effect of an error by a factor of two. */
const bert: Magnitudes = {
  values: {
    ...common,
    embedding: 7,
    normed: 30,
    projected: 30,
    "pre-activation": 30,
    activated: 30,
    fed: 60,
    residual: 60,
  },
  score: 63,
  squares: { lo: 2 ** -6, hi: 2 ** 6 },
};
const decoder: Magnitudes = {
  values: {
    ...common,
    embedding: 7,
    normed: 60,
    projected: 250,
    "pre-activation": 30,
    activated: 30,
    up: 60,
    gated: 1000,
    fed: 4000,
    residual: 4000,
  },
  score: 63,
  squares: { lo: 2 ** -12, hi: 2 ** 14 },
};

const magnitudesOf = (arch: Architecture): Magnitudes => (arch.normPlacement === "post" ? bert : decoder);

/** The kind of an op's result: the last part of its origin. */
const valueKind = ({ origin }: Op): string => origin.slice(origin.lastIndexOf("/") + 1);

/**
 * Bound for the ops into which a preset expands an operator, if the table has none. A preset has one ring: its cost
 * depends on no bound, but values must fit.
 */
const presetDefaultMagnitude = 2 ** 12;

/**
 * Bounds every value from the table instead of from measurements, then runs the interval analysis of a compilation. A
 * module that a preset has expanded is analyzed at the preset's precision.
 */
export function assumedCalibration(
  name: ArchitectureName,
  state: PassState,
  preset?: { readonly precision: Precision },
): Calibration {
  const { values, score, squares } = magnitudesOf(architectures[name]);
  const { module } = state;
  const observed = new Map<ValueId, Interval>();
  const inner = new Map<ValueId, InnerRange>();
  const include = (id: ValueId, most: number | undefined): void => {
    if (most !== undefined) observed.set(id, { lo: -most, hi: most });
  };
  for (const id of module.inputs)
    include(id, id.includes(cacheInfix) ? values[id.slice(id.lastIndexOf(".") + 1)] : undefined);
  if (module.inputs.includes("hidden")) include("hidden", values.residual);
  const users = usersOf(opsOf(module));
  for (const op of opsOf(module)) {
    const length = lastAxisSize(module, op.operands[0]!);
    if (op.name === "attention" || op.name === "cached-attention") inner.set(op.result, { lo: -score, hi: score });
    if (op.name === "layer-norm" || op.name === "rms-norm")
      inner.set(op.result, { lo: squares.lo * length, hi: squares.hi * length });
    // A fused product has the ranges of all slices of it.
    const parts = (users.get(op.result) ?? []).filter((user) => user.name === "slice");
    const kinds = op.name === "matmul" && parts.length > 1 ? parts.map(valueKind) : [valueKind(op)];
    const known = kinds.flatMap((kind) => values[kind] ?? (preset ? presetDefaultMagnitude : []));
    include(op.result, known.length === kinds.length ? Math.max(...known) : undefined);
  }
  return analyzeRanges(state, preset?.precision ?? defaultPrecision, { values: observed, inner });
}

const lastAxisSize = (module: Module, id: ValueId): number => module.values[id]!.type.shape.at(-1) ?? 1;
