import type { Diagnostic } from "../../ir/diagnostic.ts";
import { exactScale } from "../../ir/infer.ts";
import { type Module, type Op, opsOf, type Value, type ValueId } from "../../ir/module.ts";
import { createNames } from "../../ir/names.ts";
import type { OpDef } from "../../ir/ops/define.ts";
import { opDef, withDefaults } from "../../ir/registry.ts";
import { bit, bitsFor, type Element, type FixedPoint, fx, type Interval, type TensorType } from "../../ir/type.ts";
import { usersOf } from "../../ir/uses.ts";
import { formatOp, withOps } from "../graph.ts";
import type { PassState } from "../pass.ts";
import { formOf } from "./factor-forms.ts";
import { integralValues } from "./integral.ts";
import { checkFits, checkPositive, type ParamUse, unfitWeights } from "./param-forms.ts";
import { isCombined, ruleOf, type ScaleOptions, type ScaleState, scaleAt, wantedOf } from "./scale-rules.ts";

/** One bit beyond the range: rounding may exceed its end. */
const slack = 1;
/**
 * Gives every shared value a scale by the op tables, and truncates where a reader wants fewer fractional bits. A
 * truncation starts from the value itself, never from a truncated one, and serves all readers that want it. The module
 * is valid only without problems.
 */
export function assignScales(
  state: PassState,
  options: ScaleOptions,
): { readonly module: Module; readonly problems: readonly Diagnostic[] } {
  const { module, weights } = state;
  const walk: ScaleState = {
    ...options,
    module,
    weights,
    users: usersOf(opsOf(module)),
    makers: new Map(opsOf(module).map((op) => [op.result, op])),
    values: {},
    params: {},
    ops: [],
    problems: [],
    unfit: [],
    fresh: createNames(Object.keys(module.values)),
    made: new Map(),
    wanted: new Map(),
  };
  // From last to first, so that what a value's readers want is known when it is asked for.
  for (const { result } of [...opsOf(module)].reverse()) wantedOf(result, walk);
  for (const id of module.inputs) walk.values[id] = inputValue(module.values[id]!, id, walk);
  for (const op of opsOf(module)) convert(op, walk);
  const { values, params, ops } = walk;
  const problems = [...walk.problems, ...unfitWeights(walk.unfit)];
  return { module: { ...withOps(module, ops, { values, params }), stage: "quantize" }, problems };
}

/**
 * An input that enters as shares is already in fixed point, at the scale that its readers want: residues are brought to
 * it before the query, and a masked value that an earlier query opened was opened at it.
 */
function inputValue({ type }: Value, id: ValueId, walk: ScaleState): Value {
  const { calibration } = walk;
  const range = calibration.ranges.get(id)!;
  if (type.label !== "shared") return { type, range };
  const isBoolean = type.element.kind === "bool";
  return { type: { ...type, element: formFor(type, range, isBoolean ? 0 : wantedOf(id, walk)) }, range };
}

/** The smallest ring with some slack; booleans are bits. */
const formFor = ({ element }: TensorType, range: Interval, scale: number): FixedPoint =>
  element.kind === "bool" && scale === 0 ? bit : fx(bitsFor(range, scale) + slack, scale);

function convert(op: Op, walk: ScaleState): void {
  const { module, calibration } = walk;
  const def = opDef(op.name);
  const attrs = withDefaults(def, { ...op.attrs, ...calibration.facts.get(op.result) });
  const range = calibration.ranges.get(op.result)!;
  const type = module.values[op.result]!.type;
  const refused = refuse(op, def, walk);
  if (refused) {
    walk.problems.push(refused);
    // A placeholder form, so that later ops are checked too.
    walk.values[op.result] = { type: { ...type, element: fx(64, walk.precision.activation) }, range };
    return;
  }
  const { operands, scale } = op.name === "share" ? shareForm(op, walk) : alignOperands(op, def, walk);
  const element: Element = type.label === "shared" ? formFor(type, range, scale) : type.element;
  walk.values[op.result] = { type: { ...type, element }, range };
  walk.ops.push({ ...op, operands, attrs });
}

/**
 * Integers enter without fractional bits unless sums need them, activations at most at the precision that readers want.
 */
function shareForm(op: Op, walk: ScaleState): { operands: readonly ValueId[]; scale: number } {
  const [id] = op.operands as [ValueId];
  const isInteger = walk.integers.has(id) || walk.module.values[id]!.type.element.kind !== "f32";
  if (isInteger) return { operands: op.operands, scale: isCombined(op.result, walk) ? walk.precision.activation : 0 };
  return { operands: op.operands, scale: walk.fine.scaleOf(id) ?? wantedOf(op.result, walk) };
}

/** Operands at the scales that the op's table wants, and the resulting scale. */
function alignOperands(op: Op, def: OpDef, walk: ScaleState): { operands: readonly ValueId[]; scale: number } {
  const at = op.operands.map((id) => scaleAt(id, walk));
  const rule = ruleOf(op, at, walk)!;
  const use: ParamUse = def.linear === "each" ? "factor" : "addend";
  const scales = [...rule.operands];
  const operands = op.operands.map((id, index) => {
    if (def.selectors?.includes(index) && at[index] === undefined) return plain(id, walk);
    const wanted = rule.operands[index]!;
    if (!Object.hasOwn(walk.module.params, id)) return truncated(id, at[index]!, wanted, walk);
    const given = formOf(op, index, wanted, use, walk);
    // A count times a constant would lower all addends of its sum to its few fractional bits. Indices stay integers.
    const missing = walk.precision.activation - (rule.result - wanted + given.scale);
    const isReal = walk.module.values[op.result]!.type.element.kind === "f32";
    const isCount = op.name === "mul" && isReal && at.includes(0) && walk.module.values[id]!.type.label === "public";
    const lift = isCount && isCombined(op.result, walk) ? Math.max(0, missing) : 0;
    const form = fx(given.width + lift, given.scale + lift);
    scales[index] = form.scale;
    return param(id, form, walk);
  });
  // The table assumes as many fractional bits of a factor as it wants: the exact product differs by what it has.
  return { operands, scale: rule.result + exactScale(def, scales) - exactScale(def, rule.operands) };
}

/** Public indices and conditions stay as they are. */
function plain(id: ValueId, { module, params, values }: ScaleState): ValueId {
  const weight = module.params[id];
  if (weight === undefined) return id;
  params[id] = weight;
  values[id] = module.values[id]!;
  return id;
}

function truncated(id: ValueId, scale: number, wanted: number, walk: ScaleState): ValueId {
  if (scale === wanted) return id;
  if (scale < wanted)
    throw new Error(`internal error, please report: %${id} has scale ${scale}, which cannot be raised to ${wanted}`);
  const by = scale - wanted;
  const key = `${id} by ${by}`;
  const known = walk.made.get(key);
  if (known !== undefined) return known;
  const value = walk.values[id]!;
  const result = walk.fresh(`${id}.t`);
  const range = value.range as Interval;
  const element = fx(bitsFor(range, wanted) + slack, wanted);
  walk.values[result] = { type: { ...value.type, element }, range };
  // A range below one unit of the result needs fewer bits than are dropped.
  const whole = value.type.element as FixedPoint;
  const width = Math.max(whole.width, element.width + by);
  walk.values[id] = { ...value, type: { ...value.type, element: fx(width, scale) } };
  walk.ops.push({ name: "truncate", operands: [id], result, attrs: { by }, origin: walk.makers.get(id)?.origin ?? "" });
  walk.made.set(key, result);
  return result;
}

/** The param in this form; a param wanted in two forms becomes two params of one weight. */
function param(id: ValueId, form: ReturnType<typeof fx>, walk: ScaleState): ValueId {
  const key = `${id} as ${form.width}.${form.scale}`;
  const known = walk.made.get(key);
  if (known !== undefined) return known;
  const { module, weights, calibration } = walk;
  const weight = module.params[id]!;
  const name = Object.hasOwn(walk.params, id) ? walk.fresh(id) : id;
  const isServer = module.values[id]!.type.label === "server";
  const range = calibration.ranges.get(id)!;
  walk.params[name] = weight;
  walk.values[name] = { type: { ...module.values[id]!.type, element: form }, range };
  const unfit = isServer ? checkFits(weight, weights.get(weight)!, form) : undefined;
  if (unfit) walk.unfit.push(unfit);
  const small = isServer ? checkPositive(weight, weights.get(weight)!, range) : undefined;
  if (small) walk.problems.push(small);
  walk.made.set(key, name);
  return name;
}

/** Why the op has no fixed-point form here. */
function refuse(op: Op, def: OpDef, { module, weights, integers }: ScaleState): Diagnostic | undefined {
  const { label } = module.values[op.result]!.type;
  if (label !== "shared" && op.name !== "reveal") {
    return {
      code: "MRL0503",
      message: `expected operators on weights alone to be folded into a weight, found ${op.name} of ${label} values`,
      at: op.origin,
      because: [formatOp(op)],
      help: "multiply the activation by one private weight, then by the other: the compiler never forms their product",
    };
  }
  const unknown = op.operands.find((id, index) => {
    const type = module.values[id]!.type;
    const plain = !Object.hasOwn(module.params, id) && type.label !== "shared";
    // A protocol hides indices that only the client knows.
    const isIndex = type.label === "public" || (op.name === "gather" && type.label === "client");
    return plain && op.name !== "share" && !(def.selectors?.includes(index) && isIndex);
  });
  const [x] = op.operands as [ValueId];
  const rounds = op.name === "cast" && op.attrs.to === "i64" && !integralValues(module, weights, integers)(x);
  if (def.scales && unknown === undefined && !rounds) return undefined;
  const why = rounds
    ? "it rounds, and no protocol does"
    : unknown === undefined
      ? "it has no fixed-point form"
      : `%${unknown} is neither shared nor a weight`;
  return {
    code: "MRL0502",
    message: `expected an operator that is defined on secret values, found ${op.name} (${why})`,
    at: op.origin,
    because: [formatOp(op)],
    help: "compute it where one party knows the operands, or express it by operators that are defined on secret values",
  };
}
