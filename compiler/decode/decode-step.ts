import { type Builder, createBuilder } from "../../ir/builder.ts";
import type { Diagnostic } from "../../ir/diagnostic.ts";
import { type Op, opsOf, type PositionRows, typeOf, type ValueId } from "../../ir/module.ts";
import { createNames } from "../../ir/names.ts";
import { f32, type TensorType } from "../../ir/type.ts";
import { formatOp } from "../../passes/graph.ts";
import type { SplitState } from "../../passes/pass.ts";
import { sequenceAxis } from "../../runtime/protocols/softmax/index.ts";
import { type PositionedOp, type PositionedResult, positionRules } from "./position-rules.ts";

export interface DecodeStepOptions {
  /** Number of positions of the window. */
  readonly contextLength: number;
  /** Consecutive positions of the program; default: 1. */
  readonly count?: number;
  /** Largest number of earlier positions with keys and values; default: all others. */
  readonly past?: number;
  /** The type of the cached values; default: masked values, whose masks the dealer knows. */
  readonly cacheType?: Pick<TensorType, "label" | "sharing">;
}

export interface DecodeStep<S = SplitState> {
  readonly state: S;
  /** The position axis of each value; absent: it is the same at all positions. */
  readonly axes: ReadonlyMap<ValueId, number>;
  /** Masked values that both programs keep, by name: operands of the window's attention. */
  readonly cached: ReadonlyMap<string, ValueId>;
}

/** Mutable during one walk. */
interface DeriveState extends Required<DecodeStepOptions> {
  readonly from: Pick<SplitState, "module">;
  readonly builder: Builder;
  readonly axes: Map<ValueId, number>;
  readonly cached: Map<string, ValueId>;
  readonly positionRows: Map<string, PositionRows>;
  /** The axis of a weight whose row is taken; −1 where a use takes the whole weight. */
  readonly rows: Map<string, number>;
}

/**
 * Derives the program for one new position of a causal model from the program for its whole window: row p of every
 * value, where no operator except causal attention reads rows other than p. Attention then reads the keys and values of
 * earlier positions as they were opened there: attention(q, k, v)[p] = cached-attention(q[p], k[p], v[p], k[0…p),
 * v[0…p)). Of several new positions each reads those up to itself. Values keep their names. Returns a diagnostic
 * (MRL0306) where an operator mixes positions in another way.
 */
export function deriveDecodeStep<S extends Pick<SplitState, "module">>(
  from: S,
  {
    contextLength,
    count = 1,
    past = contextLength - count,
    cacheType = { label: "shared", sharing: "masked" },
  }: DecodeStepOptions,
): DecodeStep<S> | Diagnostic {
  const { module } = from;
  const rows = new Map<string, number>();
  const axes = new Map<ValueId, number>();
  for (const id of module.inputs) {
    const { shape, label } = typeOf(module, id);
    if (label === "server") return mixesPositions(`input %${id} is the server's, for all positions`, `input %${id}`);
    if (shape.length < 2 || shape[1] !== contextLength) {
      return mixesPositions(`input %${id} is [${shape.join(", ")}], not [1, ${contextLength}, …]`, `input %${id}`);
    }
    axes.set(id, 1);
  }
  const builder = createBuilder(module.name, "rewrite");
  const walk: DeriveState = {
    from,
    contextLength,
    count,
    past,
    cacheType,
    builder,
    axes,
    rows,
    cached: new Map(),
    positionRows: new Map(),
  };
  const steps: DerivedOp[] = [];
  for (const op of opsOf(module)) {
    const step = derivedOp(op, walk);
    if ("code" in step) return step;
    steps.push(step);
    if (step.axis !== undefined) axes.set(op.result, step.axis);
  }
  build(walk, steps);
  const made = builder.finish();
  const positionRows = walk.positionRows.size > 0 ? { positionRows: Object.fromEntries(walk.positionRows) } : {};
  return { state: { ...from, module: { ...made, ...positionRows } }, axes, cached: walk.cached };
}

const mixesPositions = (why: string, at: string, because: readonly string[] = []): Diagnostic => ({
  code: "MRL0306",
  message: `the model cannot be run position by position: ${why}`,
  at,
  because,
  help: "no action is needed: the model runs over its whole window for every token",
});

/** An op of the window, for fewer positions. */
interface DerivedOp {
  readonly op: Op;
  readonly axis: number | undefined;
  readonly attrs: Op["attrs"];
}

function derivedOp(op: Op, walk: DeriveState): DerivedOp | Diagnostic {
  const { from, axes } = walk;
  const tracked = op.operands.some((id) => axes.has(id));
  const followed = tracked ? atPositions(op, walk) : undefined;
  if (typeof followed === "string") return mixesPositions(followed, op.origin || `%${op.result}`, [formatOp(op)]);
  for (const [k, id] of op.operands.entries()) {
    const weight = from.module.params[id];
    if (weight === undefined || !Object.hasOwn(from.module.params, id)) continue;
    const row = followed?.rows?.[k] ?? -1;
    if ((walk.rows.get(weight) ?? row) !== row)
      return mixesPositions(`%${id} is used both whole and by rows`, `%${id}`, [formatOp(op)]);
    walk.rows.set(weight, row);
  }
  return { op, axis: followed?.axis, attrs: followed?.attrs ?? op.attrs };
}

function atPositions(op: Op, walk: DeriveState): PositionedResult | string {
  const { from, axes, contextLength: length, count } = walk;
  const { module } = from;
  if (op.name === "attention") return attentionAtPositions(op, walk);
  const rule = positionRules.get(op.name);
  if (!rule) return `${op.name} has no rule for positions`;
  const site: PositionedOp = {
    shapes: op.operands.map((id) => typeOf(module, id).shape),
    axes: op.operands.map((id) => axes.get(id)),
    isWeight: op.operands.map((id) => Object.hasOwn(module.params, id)),
    attrs: op.attrs,
    result: typeOf(module, op.result).shape,
    length,
    count,
  };
  return rule(site);
}

function attentionAtPositions({ operands, attrs }: Op, { axes }: DeriveState): PositionedResult | string {
  if (attrs.causal !== true) return "attention also reads later positions";
  if (operands.length > 3) return "attention has a mask of its own";
  if (operands.some((id) => axes.get(id) !== sequenceAxis)) return "attention is not over the positions of the window";
  return { axis: sequenceAxis };
}

function build(walk: DeriveState, steps: readonly DerivedOp[]): void {
  const { from, axes, builder, rows, contextLength: length, count, past, cacheType: held } = walk;
  const { module } = from;
  const shrunk = (type: TensorType, axis: number | undefined): TensorType =>
    axis === undefined ? type : { ...type, shape: type.shape.with(axis, count) };
  for (const id of module.inputs) {
    const { type, range } = module.values[id]!;
    builder.input(id, shrunk(type, axes.get(id)), range);
  }
  const fresh = createNames(Object.keys(module.values));
  const earlier = (op: Op): readonly ValueId[] => {
    const cacheInput = (operand: 1 | 2, what: string): ValueId => {
      const shape = typeOf(module, op.operands[operand]!).shape.with(sequenceAxis, past);
      const name = fresh(`${op.result}.${what}`);
      walk.cached.set(name, op.operands[operand]!);
      return builder.input(name, { ...held, element: f32, shape });
    };
    return [cacheInput(1, "key"), cacheInput(2, "value")];
  };
  const pasts = new Map(
    steps.flatMap(({ op }) => (op.name === "attention" ? [[op.result, earlier(op)] as const] : [])),
  );
  for (const [id, weight] of Object.entries(module.params)) {
    const { type, range } = module.values[id]!;
    const row = rows.get(weight) ?? -1;
    if (row >= 0) walk.positionRows.set(weight, { axis: row, rows: length });
    builder.param(id, shrunk(type, row >= 0 ? row : undefined), weight, range);
  }
  for (const { op, attrs } of steps) {
    const { name, operands, result, origin } = op;
    const cacheInput = pasts.get(result);
    builder.op(cacheInput ? "cached-attention" : name, [...operands, ...(cacheInput ?? [])], attrs, { result, origin });
  }
  for (const id of module.outputs) builder.output(id);
}
