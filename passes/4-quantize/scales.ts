import type { Diagnostic } from "../../ir/diagnostic.ts";
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
import type { FineInputs } from "./fine-inputs.ts";
import { checkFits, type ParamUse, publicForm, serverForm, type UnfitWeight, unfitWeights } from "./param-forms.ts";
import { weightScale } from "./weight-bounds.ts";

/** One bit beyond the range: rounding may exceed its end. */
const slack = 1;
/** Bits of a product with a private weight: the interpreter is exact below 2^53. */
const productBits = 50;

export interface ScaleOptions {
  readonly precision: Precision;
  readonly calibration: Calibration;
  /** Inputs that hold integers: they are shared without fractional bits. */
  readonly integers: ReadonlySet<ValueId>;
  readonly fine: FineInputs;
  /** Products of secrets keep all their bits, so that a separate truncation, which can be exact, drops them. */
  readonly exact: boolean;
}

interface ScaleState extends ScaleOptions, PassState {
  readonly users: ReadonlyMap<ValueId, readonly Op[]>;
  readonly origins: ReadonlyMap<ValueId, string>;
  readonly values: Record<ValueId, Value>;
  readonly params: Record<ValueId, string>;
  readonly ops: Op[];
  readonly problems: Diagnostic[];
  readonly unfit: UnfitWeight[];
  readonly fresh: (base: string) => ValueId;
  /** Values that several readers share: truncations and forms of params. */
  readonly made: Map<string, ValueId>;
}

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
    origins: new Map(opsOf(module).map((op) => [op.result, op.origin])),
    values: {},
    params: {},
    ops: [],
    problems: [],
    unfit: [],
    fresh: createNames(Object.keys(module.values)),
    made: new Map(),
  };
  for (const id of module.inputs) walk.values[id] = inputValue(module.values[id]!, id, walk);
  for (const op of opsOf(module)) convert(op, walk);
  const { values, params, ops } = walk;
  const problems = [...walk.problems, ...unfitWeights(walk.unfit)];
  return { module: { ...withOps(module, ops, { values, params }), stage: "quantize" }, problems };
}

/**
 * An input that enters as shares is already in fixed point, at the precision of activations. A masked value that an
 * earlier query opened has the scale that its readers want, since it cannot be truncated any more.
 */
function inputValue({ type }: Value, id: ValueId, walk: ScaleState): Value {
  const { calibration } = walk;
  const range = calibration.ranges.get(id)!;
  const precision = { activation: type.sharing === "masked" ? wantedOf(id, walk) : walk.precision.activation };
  if (type.label !== "shared") return { type, range };
  const isBoolean = type.element.kind === "bool";
  return { type: { ...type, element: formFor(type, range, isBoolean ? 0 : precision.activation) }, range };
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
  const { operands, scale } = op.name === "share" ? shareForm(op, walk) : alignOperands(op, def, attrs, walk);
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
  const wanted = Math.min(wantedOf(op.result, walk), walk.precision.activation);
  return { operands: op.operands, scale: walk.fine.scaleOf(id) ?? wanted };
}

/** Whether a value is added to, or concatenated with, another shared one: sums have the smaller scale of the two. */
function isCombined(id: ValueId, walk: ScaleState): boolean {
  const { module, users } = walk;
  return (users.get(id) ?? []).some((op) => {
    if (passesScale.has(op.name)) return isCombined(op.result, walk);
    if (opDef(op.name).linear !== "joint") return false;
    const shared = new Set(op.operands.filter((operand) => module.values[operand]!.type.label === "shared"));
    return shared.size > 1 || isCombined(op.result, walk);
  });
}

/** Operators that pass their operand's scale to their own readers. */
const passesScale: ReadonlySet<string> = new Set(["reshape", "transpose", "slice", "expand"]);

/** Maximum fractional bits that a reader wants of a value, if all its operands are activations. */
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

/** Operands at the scales that the op's table wants, and the resulting scale. */
function alignOperands(
  op: Op,
  def: OpDef,
  attrs: Op["attrs"],
  walk: ScaleState,
): { operands: readonly ValueId[]; scale: number } {
  const at = op.operands.map((id) => scaleAt(id, walk));
  const rule = ruleOf(op, attrs, at, walk);
  const use: ParamUse = def.linear === "each" ? "factor" : "addend";
  const scales = [...rule.operands];
  const operands = op.operands.map((id, index) => {
    if (def.selectors?.includes(index) && at[index] === undefined) return plain(id, walk);
    const wanted = rule.operands[index]!;
    if (!Object.hasOwn(walk.module.params, id)) return truncated(id, at[index]!, wanted, walk);
    const given = formOf(op, index, wanted, use, walk);
    // An integer times a constant would lower all addends of its sum to its few fractional bits.
    const missing = walk.precision.activation - (rule.result - wanted + given.scale);
    const isCount = op.name === "mul" && at.includes(0) && walk.module.values[id]!.type.label === "public";
    const lift = isCount && isCombined(op.result, walk) ? Math.max(0, missing) : 0;
    const form = fx(given.width + lift, given.scale + lift);
    scales[index] = form.scale;
    return param(id, form, walk);
  });
  // The table assumes as many fractional bits of a factor as it wants: the exact product differs by what it has.
  return { operands, scale: rule.result + exactScale(def, scales) - exactScale(def, rule.operands) };
}

/** The scale rule of the op's table; see `ScaleOptions.exact`. */
function ruleOf(op: Op, attrs: Op["attrs"], at: readonly (number | undefined)[], walk: ScaleState): ScaleRule {
  const def = opDef(op.name);
  const rule = walk.fine.ruleOf(op, def.scales!(at, attrs, walk.precision), at);
  const product = def.linear === "each" && at.every((scale) => scale !== undefined);
  return walk.exact && product ? { ...rule, result: exactScale(def, rule.operands) } : rule;
}

/** Public indices and conditions stay as they are. */
function plain(id: ValueId, { module, params, values }: ScaleState): ValueId {
  const weight = module.params[id];
  if (weight === undefined) return id;
  params[id] = weight;
  values[id] = module.values[id]!;
  return id;
}

/** Fractional bits of a shared value; undefined for a value that some party knows. */
function scaleAt(id: ValueId, { values }: ScaleState): ScaleRule["operands"][number] | undefined {
  const value = values[id];
  return value && value.type.label === "shared" && isFixed(value.type.element) ? value.type.element.scale : undefined;
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
  walk.ops.push({ name: "truncate", operands: [id], result, attrs: { by }, origin: walk.origins.get(id) ?? "" });
  walk.made.set(key, result);
  return result;
}

function formOf(op: Op, index: number, wanted: number, use: ParamUse, walk: ScaleState): FixedPoint {
  const { module, weights, calibration, precision } = walk;
  const [id, def] = [op.operands[index]!, opDef(op.name)];
  const weight = weights.get(module.params[id]!)!;
  const isServer = module.values[id]!.type.label === "server" || !hasData(weight);
  if (isServer) {
    const isFactor = use === "factor" && wanted === precision.weight;
    const scale = isFactor ? Math.max(wanted, Math.min(factorScale(op, index, walk), factorRoom(op, walk))) : wanted;
    return serverForm(scale, calibration.ranges.get(id)!.hi, use);
  }
  // Tables that an op uses together must have one scale, as the cosines and sines of rope.
  const alone = def.operands.length === 2;
  return publicForm(weight, wanted, use === "factor" && alone ? "factor" : "addend", precision.significant);
}

/**
 * Fractional bits of a private factor: as many as its public magnitude asks for. Matrices that are multiplied side by
 * side have one scale, so that their products have one.
 */
function factorScale({ name, operands }: Op, index: number, { precision, calibration }: ScaleState): number {
  const beside = name === "low-rank" && index > 1 ? operands.slice(2) : [operands[index]!];
  const magnitudes = beside.map((id) => calibration.magnitudes?.get(id) ?? 0);
  return weightScale(Math.max(...magnitudes), precision);
}

/** Fractional bits that each factor may have, so that the product fits `productBits`. */
function factorRoom({ name, operands, result }: Op, walk: ScaleState): number {
  const shared = operands.map((id) => scaleAt(id, walk) ?? 0).reduce((sum, scale) => sum + scale, 0);
  const room = productBits - bitsFor(walk.calibration.ranges.get(result)!, Math.min(shared, walk.precision.activation));
  return Math.floor(room / (name === "low-rank" ? 2 : 1));
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
  walk.made.set(key, name);
  return name;
}

/** Why the op has no fixed-point form here. */
function refuse(op: Op, def: OpDef, { module }: ScaleState): Diagnostic | undefined {
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
  if (def.scales && unknown === undefined) return undefined;
  const why = unknown === undefined ? "it has no fixed-point form" : `%${unknown} is neither shared nor a weight`;
  return {
    code: "MRL0502",
    message: `expected an operator that is defined on secret values, found ${op.name} (${why})`,
    at: op.origin,
    because: [formatOp(op)],
    help: "compute it where one party knows the operands, or express it by operators that are defined on secret values",
  };
}
