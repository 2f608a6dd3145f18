import type { Attrs, Module, Op, Value, ValueId } from "../../ir/module.ts";
import { fx, type Interval, isFixed, minWidth, type Sharing } from "../../ir/type.ts";
import { maskedRings, planWidths, type RingDemand, type RingPlan } from "./widths.ts";

interface Conversion {
  readonly name: string;
  readonly operand: ValueId;
  readonly attrs?: Attrs;
  readonly protocol?: string;
}

/** An operand that reads another value than before: position `index` of op number `op`. */
interface Rewire {
  readonly op: number;
  readonly index: number;
  readonly value: ValueId;
}

interface ConvertedResult {
  /** The op under the name of its result in the short ring, if there is one, then its conversions. */
  readonly ops: readonly Op[];
  readonly values: readonly (readonly [ValueId, Value])[];
  readonly rewires: readonly Rewire[];
}

/** Collects conversions of one shared result, and the values that they make. */
function createConversions({ result: id, origin }: Op, { type, range }: Value) {
  const ops: Op[] = [];
  const values = new Map<ValueId, Value>();
  const setForm = (result: ValueId, width: number, sharing: Sharing): void => {
    const scale = isFixed(type.element) ? type.element.scale : 0;
    const held = range && within(range, width, scale);
    values.set(result, { type: { ...type, element: fx(width, scale), sharing }, ...(held && { range: held }) });
  };
  return {
    ops,
    values,
    setForm,
    /** A value like the result in another form; the same name again is the same value. */
    convert: (result: ValueId, width: number, sharing: Sharing, { operand, ...rest }: Conversion): ValueId => {
      if (values.has(result) && result !== id) return result;
      setForm(result, width, sharing);
      ops.push({ attrs: {}, ...rest, operands: [operand], result, origin });
      return result;
    },
  };
}

/** Forms of a shared result: in its short ring, if it has one, then in the ring that uses see, then as uses want it. */
function convertResult(op: Op, value: Value, plan: RingPlan): ConvertedResult {
  const id = op.result;
  const { ops, values, setForm, convert } = createConversions(op, value);
  const width = plan.widths.get(id)!;
  const short = plan.shortened.get(id);
  const made = short === undefined ? id : `${id}.short`;
  setForm(id, width, op.name === "open" ? "masked" : "additive");
  if (short !== undefined) {
    setForm(made, short, "additive");
    const opened = convert(`${made}.open`, short, "masked", { name: "open", operand: made, protocol: "masked.open" });
    const protocol = short === 1 ? "bit.extend" : "masked.extend";
    convert(id, width, "additive", { name: "extend", operand: opened, attrs: { width }, protocol });
  }

  const uses = plan.demands.get(id) ?? [];
  const maskedWidths = maskedRings(uses);
  const narrowed = (to: number): ValueId => {
    if (to === width) return id;
    if (to === short) return made;
    return convert(`${id}.n${to}`, to, "additive", { name: "narrow", operand: id, attrs: { width: to } });
  };
  const opened = (to: number): ValueId => {
    if (to === short) return `${made}.open`;
    const name = maskedWidths.length === 1 ? `${id}.open` : `${id}.open${to}`;
    return convert(name, to, "masked", { name: "open", operand: narrowed(to), protocol: "masked.open" });
  };
  const rewires = uses.map((use): Rewire => {
    const fits = (ringWidth: number): boolean => (use.exact ? ringWidth === use.width : ringWidth >= use.width);
    const read = use.form === "share" ? narrowed(use.width) : opened(maskedWidths.find(fits)!);
    return { op: use.op, index: use.index, value: read };
  });
  return { ops: [{ ...op, result: made }, ...ops], values: [...values], rewires };
}

/**
 * Gives every shared value its ring, and inserts the conversions that the plan demands: a `narrow` where a use wants
 * fewer bits, an `open` where it wants a masked value (once per value and ring), an `open` and `extend` behind a value
 * that is computed short.
 */
export function planRings(module: Module, ops: readonly Op[], ring?: number): Module {
  const plan = planWidths(module, ops, ring);
  const results = ops.map((op): ConvertedResult => {
    const value = module.values[op.result]!;
    return value.type.label === "shared" ? convertResult(op, value, plan) : { ops: [op], values: [], rewires: [] };
  });
  const cached = module.inputs.map((id) => [id, cachedInput(module.values[id]!, plan.demands.get(id) ?? [])] as const);
  const inputs = [...cached, ...ops.flatMap((op) => takenInput(module, op, plan))];
  const operands = ops.map((op) => [...op.operands]);
  for (const { op, index, value } of results.flatMap(({ rewires }) => rewires)) operands[op]![index] = value;
  const steps = results.flatMap(({ ops: [op, ...conversions] }, at) => [
    { ops: [{ ...op!, operands: operands[at]! }] },
    ...conversions.map((conversion) => ({ ops: [conversion] })),
  ]);
  const values = Object.fromEntries([...inputs, ...results.flatMap((result) => result.values)]);
  return { ...module, stage: "select", values: { ...module.values, ...values }, steps };
}

/** A masked value that an earlier query opened is in the ring of its readers: the same program opened it there. */
function cachedInput(value: Value, uses: readonly RingDemand[]): Value {
  const { element, sharing } = value.type;
  if (sharing !== "masked" || !isFixed(element)) return value;
  const [width, ...others] = maskedRings(uses);
  if (width === undefined || others.length > 0)
    throw new Error("internal error, please report: a cached masked value has readers in several rings, or none");
  return { ...value, type: { ...value.type, element: fx(width, element.scale) } };
}

/** Residues of an input are taken in the ring in which the program starts with them: wider ones are reduced. */
function takenInput(module: Module, { name, operands, result }: Op, plan: RingPlan): (readonly [ValueId, Value])[] {
  const [id] = operands as [ValueId];
  const value = module.values[id]!;
  if (name !== "take-over" || !isFixed(value.type.element)) return [];
  const width = plan.shortened.get(result) ?? plan.widths.get(result)!;
  return [[id, { ...value, type: { ...value.type, element: fx(width, value.type.element.scale) } }]];
}

/**
 * Bounds in a ring that is narrower than the range: elements beyond it wrap. A use that wants so few bits drops or
 * cancels them, as the slice of a fused product does with its neighbors' columns.
 */
function within(range: Interval, width: number, scale: number): Interval {
  if (minWidth(range, fx(width, scale)) <= width) return range;
  const most = (2 ** (width - 1) - 1) / 2 ** scale;
  return { lo: Math.max(range.lo, -most), hi: Math.min(range.hi, most) };
}
