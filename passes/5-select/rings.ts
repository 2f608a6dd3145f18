import type { Attrs, Module, Op, Value, ValueId } from "../../ir/module.ts";
import { fx, type Interval, isFixed, minWidth, type Sharing } from "../../ir/type.ts";
import { maskedRings, planWidths, type RingDemand } from "./widths.ts";

type Conversion = {
  readonly name: string;
  readonly operand: ValueId;
  readonly attrs?: Attrs;
  readonly protocol?: string;
};

/**
 * Gives every shared value its ring, and puts in the conversions that the plan asks for: a `narrow` where a use wants
 * fewer bits, an `open` where it wants a wire (once for a value and ring), an `open` and `extend` behind a value that
 * is made short.
 */
export function planRings(module: Module, ops: readonly Op[], ring?: number): Module {
  const { widths, demands, shortened } = planWidths(module, ops, ring);
  const values: Record<ValueId, Value> = { ...module.values };
  const operands = ops.map((op) => [...op.operands]);
  for (const id of module.inputs) values[id] = cachedInput(module.values[id]!, demands.get(id) ?? []);
  const planned = ops.map((op): readonly Op[] => {
    const id = op.result;
    if (module.values[id]!.type.label !== "shared") return [op];
    const converted: Op[] = [];
    /** A value like `id` in another form. */
    const make = (result: ValueId, width: number, sharing: Sharing, { operand, ...rest }: Conversion): ValueId => {
      setForm(result, width, sharing);
      converted.push({ attrs: {}, ...rest, operands: [operand], result, origin: op.origin });
      return result;
    };
    const setForm = (result: ValueId, width: number, sharing: Sharing): void => {
      const { type, range } = module.values[id]!;
      const scale = isFixed(type.element) ? type.element.scale : 0;
      const held = range && within(range, width, scale);
      values[result] = { type: { ...type, element: fx(width, scale), sharing }, ...(held && { range: held }) };
    };

    const width = widths.get(id)!;
    const short = shortened.get(id);
    setForm(id, width, op.name === "open" ? "masked" : "additive");
    const made = short === undefined ? id : `${id}.short`;
    if (short !== undefined) {
      setForm(made, short, "additive");
      const opened = make(`${made}.open`, short, "masked", { name: "open", operand: made, protocol: "masked.open" });
      const protocol = short === 1 ? "bit.extend" : "masked.extend";
      make(id, width, "additive", { name: "extend", operand: opened, attrs: { width }, protocol });
    }

    const uses = demands.get(id) ?? [];
    const maskedWidths = maskedRings(uses);
    const known = new Map<string, ValueId>();
    const once = (name: ValueId, build: () => ValueId): ValueId => {
      const value = known.get(name) ?? build();
      known.set(name, value);
      return value;
    };
    const narrowed = (to: number): ValueId => {
      const name = `${id}.n${to}`;
      if (to === width) return id;
      if (to === short) return made;
      return once(name, () => make(name, to, "additive", { name: "narrow", operand: id, attrs: { width: to } }));
    };
    const opened = (to: number): ValueId => {
      if (to === short) return `${made}.open`;
      const name = maskedWidths.length === 1 ? `${id}.open` : `${id}.open${to}`;
      return once(name, () =>
        make(name, to, "masked", { name: "open", operand: narrowed(to), protocol: "masked.open" }),
      );
    };
    for (const use of uses) {
      const fits = (ringWidth: number): boolean => (use.exact ? ringWidth === use.width : ringWidth >= use.width);
      operands[use.op]![use.index] = use.form === "share" ? narrowed(use.width) : opened(maskedWidths.find(fits)!);
    }
    return [{ ...op, result: made }, ...converted];
  });
  // Operands were rewired while their definitions were visited, which come first.
  const finished = planned.flatMap(([op, ...behind], at) => [{ ...op!, operands: operands[at]! }, ...behind]);
  return { ...module, stage: "select", values, steps: finished.map((op) => ({ ops: [op] })) };
}

/** A wire that an earlier query opened is in the ring of its readers: the same program opened it there. */
function cachedInput(value: Value, uses: readonly RingDemand[]): Value {
  const { element, sharing } = value.type;
  if (sharing !== "masked" || !isFixed(element)) return value;
  const [width, ...others] = maskedRings(uses);
  if (width === undefined || others.length > 0) throw new Error("a kept wire has readers in several rings, or none");
  return { ...value, type: { ...value.type, element: fx(width, element.scale) } };
}

/**
 * Bounds in a ring that is narrower than the range: elements beyond it wrap. A use that asks for so few bits drops or
 * cancels them, as the slice of a fused product does with its neighbours' columns.
 */
function within(range: Interval, width: number, scale: number): Interval {
  if (minWidth(range, fx(width, scale)) <= width) return range;
  const most = (2 ** (width - 1) - 1) / 2 ** scale;
  return { lo: Math.max(range.lo, -most), hi: Math.min(range.hi, most) };
}
