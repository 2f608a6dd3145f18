import { type Diagnostic, fail } from "../../ir/diagnostic.ts";
import { layerMatcher, layerNames } from "../../ir/layer-patterns.ts";
import { type Module, type Op, opsOf, type Value, type ValueId } from "../../ir/module.ts";
import { createNames } from "../../ir/names.ts";
import { opDef, resultRange } from "../../ir/registry.ts";
import { bit, bitsFor, fx, type Interval, isBit, isFixed, sizeOf, type TensorType } from "../../ir/type.ts";
import { producersOf } from "../../ir/uses.ts";
import { withRounding } from "../4-quantize/index.ts";
import { withOps } from "../graph.ts";
import type { GuardFacts, SplitState } from "../pass.ts";

export interface GuardOptions {
  /** Names of nodes or values; `*` matches any characters. */
  readonly layers: readonly string[];
  /** Bits by which a guarded value may exceed its bounds and is still told for certain. */
  readonly headroom: number;
}

/** A result that only rearranges its operand, or keeps each element within the operand's bounds. */
const rearranging: ReadonlySet<string> = new Set([
  "reshape",
  "transpose",
  "slice",
  "expand",
  "gather",
  "concat",
  "narrow",
  "open",
  "extend",
]);

/** Operators that read a value as shares, whatever it is: sums and known products are exact mod 2^n, wrapped or not. */
const readsAnyValue: ReadonlySet<string> = new Set(["truncate", "narrow", "extend", "share", "take-over"]);

/**
 * Values that must lie within their bounds for the protocols behind them to be right: those that a protocol opens under
 * a mask or bounds, and those that are revealed. Sums, products with weights and truncations of shares are exact modulo
 * 2^n, so a value between them may wrap without harm. `selected` is the module with protocols and rings.
 */
export function guardedValues(quantized: Module, selected: Module): readonly ValueId[] {
  const makers = producersOf(opsOf(selected));
  const isOwn = (id: ValueId): boolean => Object.hasOwn(quantized.values, id);
  /** The value of the quantized module that a conversion holds in another ring or form. */
  const original = (id: ValueId): ValueId => {
    const op = makers.get(id);
    if (op && (op.name === "open" || op.name === "narrow") && !isOwn(id)) return original(op.operands[0]!);
    return isOwn(id) ? id : id.replace(/\.short$/, "");
  };
  const needed = new Set<ValueId>();
  for (const op of opsOf(selected)) {
    const reads = op.name === "open" || op.name === "reveal" || (op.protocol !== undefined && isBounded(op));
    if (reads) for (const id of op.operands) needed.add(original(id));
  }
  const own = producersOf(opsOf(quantized));
  const candidates = new Set([...needed].filter((id) => own.has(id) && isNumber(quantized.values[id]!.type)));
  const held = new Map<ValueId, boolean>();
  /** Whether a value is within its bounds if all candidates before it are. */
  const isHeld = (id: ValueId): boolean => {
    const known =
      held.get(id) ?? keepsBounds(id, quantized, own, (operand) => candidates.has(operand) || isHeld(operand));
    held.set(id, known);
    return known;
  };
  return opsOf(quantized).flatMap(({ result }) => (candidates.has(result) && !isHeld(result) ? [result] : []));
}

/** Whether the protocol of an op relies on the bounds of the shares that it takes. */
const isBounded = ({ name }: Op): boolean => opDef(name).linear === "none" && !readsAnyValue.has(name);

const isNumber = ({ label, element }: TensorType): boolean => label === "shared" && isFixed(element) && !isBit(element);

/** Whether a value cannot leave its bounds while its operands are within theirs. */
function keepsBounds(
  id: ValueId,
  module: Module,
  makers: ReadonlyMap<ValueId, Op>,
  isWithin: (operand: ValueId) => boolean,
): boolean {
  const op = makers.get(id);
  const { range, type } = module.values[id]!;
  // A param has the bounds that its form gives it, and the client refuses what exceeds those of an input.
  if (!op || op.name === "share" || !range) return true;
  // Nobody sees whether what another program handed over is within the bounds that it declared.
  if (op.name === "take-over") return false;
  const shared = op.operands.filter((operand) => module.values[operand]!.type.label === "shared");
  if (!shared.every(isWithin)) return false;
  if (rearranging.has(op.name)) return true;
  const operands = op.operands.map((operand) => module.values[operand]!.range ?? { lo: -Infinity, hi: Infinity });
  const shapes = op.operands.map((operand) => module.values[operand]!.type.shape);
  const proven = resultRange(opDef(op.name), operands, op.attrs, shapes);
  const allowed = withRounding(range, isFixed(type.element) ? type.element.scale : 0);
  return proven.lo >= allowed.lo && proven.hi <= allowed.hi;
}

/** Guarded values of the layers that the user named. @throws DiagnosticError MRL0657 for a name without any */
export function chosenValues(
  module: Module,
  values: readonly ValueId[],
  layers: readonly string[],
): readonly ValueId[] {
  const makers = producersOf(opsOf(module));
  const names = (id: ValueId): readonly string[] => layerNames(id, makers.get(id));
  const matching = layers.map((pattern) => {
    const matches = layerMatcher(pattern);
    return values.filter((id) => matches(names(id)));
  });
  const empty = layers.find((_, k) => matching[k]!.length === 0);
  if (empty !== undefined) fail(nothingToGuard(empty, [...new Set(values.map((id) => names(id)[2] || `%${id}`))]));
  const chosen = new Set(matching.flat());
  return values.filter((id) => chosen.has(id));
}

const maxListed = 20;

const nothingToGuard = (pattern: string, layers: readonly string[]): Diagnostic => ({
  code: "MRL0657",
  message: `--guard ${pattern}: expected a layer whose values can leave their bounds, found none of this name`,
  because: layers.length === 0 ? ["every value of this model is bounded by a proof"] : layers.slice(0, maxListed),
  help: layers.length === 0 ? "leave out --guard" : "name one of these, with * for any characters, or all",
});

/**
 * Adds a range check of each value: one bit per element, the sum of all bits, and one bit that says whether any was
 * set, which the client alone learns. The sum counts in a ring that holds the number of elements, so it is 0 exactly if
 * no value left its bounds.
 */
export function insertGuard(state: SplitState, values: readonly ValueId[], headroom: number): SplitState {
  const { module } = state;
  const fresh = createNames(Object.keys(module.values));
  const added: Record<ValueId, Value> = {};
  const ops: Op[] = [];
  const emit = (op: Omit<Op, "result">, name: string, type: TensorType, range: Interval): ValueId => {
    const result = fresh(name);
    added[result] = { type, range };
    ops.push({ ...op, result });
    return result;
  };
  const makers = producersOf(opsOf(module));
  const counted = (shape: readonly number[], most: number): TensorType => ({
    label: "shared",
    element: fx(bitsFor({ lo: 0, hi: most }, 0), 0),
    shape,
  });
  const truth = (shape: readonly number[]): TensorType => ({ label: "shared", element: bit, shape });
  const unit: Interval = { lo: 0, hi: 1 };
  const elements = values.reduce((sum, id) => sum + sizeOf(module.values[id]!.type.shape), 0);
  const counts = values.map((id): ValueId => {
    const { type, range } = module.values[id]!;
    const origin = makers.get(id)?.origin ?? "";
    const { shape } = type;
    const attrs = { ...checkedBounds(range!, isFixed(type.element) ? type.element.scale : 0), headroom };
    const beyond = emit({ name: "outside", operands: [id], attrs, origin }, `${id}.outside`, truth(shape), unit);
    const number = emit(
      { name: "cast", operands: [beyond], attrs: { to: "i64" }, origin },
      `${id}.beyond`,
      counted(shape, elements),
      unit,
    );
    const axes = shape.map((_, axis) => axis);
    const size = sizeOf(shape);
    if (axes.length === 0) return number;
    const sum = { name: "reduce-sum", operands: [number], attrs: { axes, keepdims: false }, origin };
    return emit(sum, `${id}.count`, counted([], elements), { lo: 0, hi: size });
  });
  const total = counts.reduce((sum, count) => {
    const most = added[sum]!.range!.hi + added[count]!.range!.hi;
    const add = { name: "add", operands: [sum, count], attrs: {}, origin: "" };
    return emit(add, "guard.count", counted([], elements), { lo: 0, hi: most });
  });
  const none = { lo: 0, hi: 0, headroom: 0 };
  const any = emit({ name: "outside", operands: [total], attrs: none, origin: "" }, "guard.any", truth([]), unit);
  const reader: TensorType = { label: "client", element: bit, shape: [] };
  const reveal = { name: "reveal", operands: [any], attrs: { to: "client" }, origin: "" };
  const value = emit(reveal, "guard", { ...reader, element: { kind: "bool" } }, unit);
  const changed = { values: { ...module.values, ...added }, outputs: [...module.outputs, value] };
  const layers = [...new Set(values.map((id) => makers.get(id)?.origin || `%${id}`))];
  const guard: GuardFacts = { value, headroom, elements, layers };
  return { ...state, module: withOps(module, [...opsOf(module), ...ops], changed), guard };
}

/** The bounds with what rounding may add, as multiples of the scale's unit. */
function checkedBounds(range: Interval, scale: number): Interval {
  const { lo, hi } = withRounding(range, scale);
  const unit = 2 ** -scale;
  return { lo: Math.ceil(lo / unit) * unit, hi: Math.floor(hi / unit) * unit };
}
