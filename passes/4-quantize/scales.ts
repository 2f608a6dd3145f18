import { type Diagnostic, throwIfAny } from "../../ir/diagnostic.ts";
import { exactScale } from "../../ir/infer.ts";
import { type Module, type Op, opsOf, type Value, type ValueId } from "../../ir/module.ts";
import { createNames } from "../../ir/names.ts";
import type { OpDef, Precision, ScaleRule } from "../../ir/ops/define.ts";
import { opDef, withDefaults } from "../../ir/registry.ts";
import { hasData } from "../../ir/tensor.ts";
import {
  bit,
  bitsFor,
  type Element,
  type FixedPoint,
  fx,
  type Interval,
  isFixed,
  type TensorType,
} from "../../ir/type.ts";
import { usersOf } from "../../ir/uses.ts";
import { formatOp, withOps } from "../graph.ts";
import type { PassState } from "../pass.ts";
import type { Calibration } from "./calibration-types.ts";
import { checkFits, type ParamUse, publicForm, serverForm } from "./param-forms.ts";

/** One bit beyond the range: rounding may step over its end. */
const slack = 1;

export interface ScaleOptions {
  readonly precision: Precision;
  readonly calibration: Calibration;
  /** Inputs that hold integers: they are shared without fractional bits. */
  readonly integers: ReadonlySet<ValueId>;
  /** Products of secrets keep all their bits, so that what drops them is a truncation of its own, which can be exact. */
  readonly exact: boolean;
}

interface ScaleState extends ScaleOptions, PassState {
  readonly users: ReadonlyMap<ValueId, readonly Op[]>;
  readonly origins: ReadonlyMap<ValueId, string>;
  readonly values: Record<ValueId, Value>;
  readonly params: Record<ValueId, string>;
  readonly ops: Op[];
  readonly problems: Diagnostic[];
  readonly fresh: (base: string) => ValueId;
  /** What was made once for several readers: truncations and forms of params. */
  readonly made: Map<string, ValueId>;
}

/**
 * Gives every shared value a scale by the op tables, and truncates where a reader wants less than there is. A
 * truncation is made from the value itself, never from a truncated one, and once for all readers that want it.
 */
export function assignScales(state: PassState, options: ScaleOptions): Module {
  const { module, weights } = state;
  const walk: ScaleState = {
    ...options,
    module,
    weights,
    users: usersOf(opsOf(module)),
    origins: new Map(opsOf(module).map((op) => [op.result, op.origin])),
    values: {},
    params: {},
    ops: [],
    problems: [],
    fresh: createNames(Object.keys(module.values)),
    made: new Map(),
  };
  for (const id of module.inputs) walk.values[id] = inputValue(module.values[id]!, id, walk);
  for (const op of opsOf(module)) convert(op, walk);
  throwIfAny(walk.problems);
  const { values, params, ops } = walk;
  return { ...withOps(module, ops, { values, params }), stage: "quantize" };
}

/**
 * An input that comes in as shares is in fixed point already, at the precision of activations; a wire that was opened
 * by an earlier query has the scale that its readers want, since it cannot be truncated any more.
 */
function inputValue({ type }: Value, id: ValueId, walk: ScaleState): Value {
  const { calibration } = walk;
  const range = calibration.ranges.get(id)!;
  const precision = { activation: type.sharing === "masked" ? wantedOf(id, walk) : walk.precision.activation };
  if (type.label !== "shared") return { type, range };
  const whole = type.element.kind === "bool";
  return { type: { ...type, element: formFor(type, range, whole ? 0 : precision.activation) }, range };
}

/** The least ring with some slack; truth values are bits. */
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
    // It goes on with some form, so that what follows is checked too.
    walk.values[op.result] = { type: { ...type, element: fx(64, walk.precision.activation) }, range };
    return;
  }
  const { operands, scale } = op.name === "share" ? shareForm(op, walk) : alignOperands(op, def, attrs, walk);
  const element: Element = type.label === "shared" ? formFor(type, range, scale) : type.element;
  walk.values[op.result] = { type: { ...type, element }, range };
  walk.ops.push({ ...op, operands, attrs });
}

/** Integers come in as they are, activations at their precision or at the most that any reader wants. */
function shareForm(op: Op, walk: ScaleState): { operands: readonly ValueId[]; scale: number } {
  const [id] = op.operands as [ValueId];
  const whole = walk.integers.has(id) || walk.module.values[id]!.type.element.kind !== "f32";
  if (whole) return { operands: op.operands, scale: isCombined(op.result, walk) ? walk.precision.activation : 0 };
  return { operands: op.operands, scale: Math.min(wantedOf(op.result, walk), walk.precision.activation) };
}

/** Whether a value is added to, or put beside, another shared one: sums are at the smaller scale of the two. */
function isCombined(id: ValueId, walk: ScaleState): boolean {
  const { module, users } = walk;
  return (users.get(id) ?? []).some((op) => {
    if (passesScale.has(op.name)) return isCombined(op.result, walk);
    if (opDef(op.name).linear !== "joint") return false;
    const shared = new Set(op.operands.filter((operand) => module.values[operand]!.type.label === "shared"));
    return shared.size > 1 || isCombined(op.result, walk);
  });
}

/** Operators that hand their operand's scale on to their own readers. */
const passesScale: ReadonlySet<string> = new Set(["reshape", "transpose", "slice", "expand"]);

/** Most fractional bits that a reader wants of a value, if all it reads are activations. */
function wantedOf(id: ValueId, walk: ScaleState): number {
  const { module, precision, users } = walk;
  const wanted = (users.get(id) ?? []).map((op) => {
    if (passesScale.has(op.name)) return wantedOf(op.result, walk);
    const shared = op.operands.map((operand) => module.values[operand]!.type.label === "shared");
    const def = opDef(op.name);
    const rule = def.scales?.(
      shared.map((secret) => (secret ? precision.activation : undefined)),
      withDefaults(def, op.attrs),
      precision,
    );
    return rule?.operands[op.operands.indexOf(id)] ?? precision.activation;
  });
  return wanted.length > 0 ? Math.max(...wanted) : precision.activation;
}

/** Operands at the scales that the op's table wants, and the scale of the result that follows. */
function alignOperands(
  op: Op,
  def: OpDef,
  attrs: Op["attrs"],
  walk: ScaleState,
): { operands: readonly ValueId[]; scale: number } {
  const at = op.operands.map((id) => scaleAt(id, walk));
  const rule = ruleOf(def, attrs, at, walk);
  const use: ParamUse = def.linear === "each" ? "factor" : "addend";
  let scale = rule.result;
  const operands = op.operands.map((id, index) => {
    if (def.selectors?.includes(index) && at[index] === undefined) return plain(id, walk);
    const wanted = rule.operands[index]!;
    if (!Object.hasOwn(walk.module.params, id)) return truncated(id, at[index]!, wanted, walk);
    const given = formOf(id, wanted, use, def, walk);
    // A whole number times a constant would take all else that is added to it down to its few fractional bits.
    const missing = walk.precision.activation - (rule.result - wanted + given.scale);
    const whole = op.name === "mul" && at.includes(0) && walk.module.values[id]!.type.label === "public";
    const lift = whole && isCombined(op.result, walk) ? Math.max(0, missing) : 0;
    const form = fx(given.width + lift, given.scale + lift);
    // The table counts on `wanted` fractional bits of the factor: the exact product has as many fewer.
    scale += form.scale - wanted;
    return param(id, form, walk);
  });
  return { operands, scale };
}

/** What the op's table says of scales; see `ScaleOptions.exact`. */
function ruleOf(def: OpDef, attrs: Op["attrs"], at: readonly (number | undefined)[], walk: ScaleState): ScaleRule {
  const rule = def.scales!(at, attrs, walk.precision);
  const product = def.linear === "each" && at.every((scale) => scale !== undefined);
  return walk.exact && product ? { ...rule, result: exactScale(def, rule.operands) } : rule;
}

/** Indices and conditions that both parties know stay what they are. */
function plain(id: ValueId, { module, params, values }: ScaleState): ValueId {
  const weight = module.params[id];
  if (weight === undefined) return id;
  params[id] = weight;
  values[id] = module.values[id]!;
  return id;
}

/** Fractional bits of a shared value; undefined for what both or one of the parties know. */
function scaleAt(id: ValueId, { values }: ScaleState): ScaleRule["operands"][number] | undefined {
  const value = values[id];
  return value && value.type.label === "shared" && isFixed(value.type.element) ? value.type.element.scale : undefined;
}

function truncated(id: ValueId, scale: number, wanted: number, walk: ScaleState): ValueId {
  if (scale === wanted) return id;
  if (scale < wanted) throw new Error(`%${id} is wanted at scale ${wanted}, above its ${scale}`);
  const by = scale - wanted;
  const key = `${id} by ${by}`;
  const known = walk.made.get(key);
  if (known !== undefined) return known;
  const value = walk.values[id]!;
  const result = walk.fresh(`${id}.t`);
  const range = value.range as Interval;
  const element = fx(bitsFor(range, wanted) + slack, wanted);
  walk.values[result] = { type: { ...value.type, element }, range };
  walk.ops.push({ name: "truncate", operands: [id], result, attrs: { by }, origin: walk.origins.get(id) ?? "" });
  walk.made.set(key, result);
  return result;
}

function formOf(id: ValueId, wanted: number, use: ParamUse, def: OpDef, walk: ScaleState) {
  const { module, weights, precision } = walk;
  const weight = weights.get(module.params[id]!)!;
  if (module.values[id]!.type.label === "server" || !hasData(weight)) return serverForm(wanted, precision, use);
  // Tables that are used side by side must agree on their scale, as the cosines and sines of rope do.
  const alone = def.operands.length === 2;
  return publicForm(weight, wanted, use === "factor" && alone ? "factor" : "addend");
}

/** The param in this form; one that is wanted in two forms becomes two params of one weight. */
function param(id: ValueId, form: ReturnType<typeof fx>, walk: ScaleState): ValueId {
  const key = `${id} as ${form.width}.${form.scale}`;
  const known = walk.made.get(key);
  if (known !== undefined) return known;
  const { module, weights, calibration } = walk;
  const weight = module.params[id]!;
  const name = Object.hasOwn(walk.params, id) ? walk.fresh(id) : id;
  const limit = 2 ** (form.width - 1 - form.scale);
  const isServer = module.values[id]!.type.label === "server";
  const range = isServer ? { lo: -limit, hi: limit } : calibration.ranges.get(id)!;
  walk.params[name] = weight;
  walk.values[name] = { type: { ...module.values[id]!.type, element: form }, range };
  const problem = isServer ? checkFits(weight, weights.get(weight)!, form) : undefined;
  if (problem) walk.problems.push(problem);
  walk.made.set(key, name);
  return name;
}

/** Why the op has no fixed-point meaning here. */
function refuse(op: Op, def: OpDef, { module }: ScaleState): Diagnostic | undefined {
  const { label } = module.values[op.result]!.type;
  if (label !== "shared" && op.name !== "reveal") {
    return {
      code: "MRL0503",
      message: `expected a value computed from weights alone to be folded into a weight, found ${op.name} of the ${label}'s`,
      at: op.origin,
      because: [formatOp(op)],
      help: "a product of two private weights is never formed: multiply the activation by one, then by the other",
    };
  }
  const unknown = op.operands.find((id, index) => {
    const type = module.values[id]!.type;
    const plain = !Object.hasOwn(module.params, id) && type.label !== "shared";
    // Places that only the client knows are for a protocol that hides them.
    const isIndex = type.label === "public" || (op.name === "gather" && type.label === "client");
    return plain && op.name !== "share" && !(def.selectors?.includes(index) && isIndex);
  });
  if (def.scales && unknown === undefined) return undefined;
  const why = unknown === undefined ? "none is known" : `%${unknown} is neither shared nor a weight`;
  return {
    code: "MRL0502",
    message: `expected an operator that has a meaning on secret values, found ${op.name} (${why})`,
    at: op.origin,
    because: [formatOp(op)],
    help: "compute it where one party knows the operands, or write it with operators that work on secrets",
  };
}
