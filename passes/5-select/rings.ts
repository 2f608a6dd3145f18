import { type Diagnostic, throwIfAny } from "../../ir/diagnostic.ts";
import type { Attrs, Module, Op, Value, ValueId } from "../../ir/module.ts";
import { opDef } from "../../ir/registry.ts";
import { bitsFor, fx, isFixed, type Sharing } from "../../ir/type.ts";
import { protocols } from "../../runtime/protocols/registry.ts";
import { formOf } from "./choose.ts";
import { fixedOf, resultOf } from "./spec.ts";

/** Widest ring of the runtime. */
const widest = 64;

/** One use of a shared value: in which ring, and whether as shares or as an open wire. */
interface Demand {
  readonly op: number;
  readonly place: number;
  readonly form: "share" | "wire";
  readonly width: number;
  /** The protocol computes in this very ring; otherwise a wider wire serves as well. */
  readonly exact: boolean;
}

/**
 * Ring widths from the end to the beginning: each use says which ring it wants, a value takes the widest of them, and
 * an op turns its result's ring into wants on its operands. Truncation takes `by` bits off the ring, so what it is
 * applied to is wider by just that: extending a ring, the only thing that costs, is never needed (protocols.md 1.2).
 * Where a wire is wanted an `open` is put in, once for a value and ring; where a use wants fewer bits, a `narrow`.
 */
export function planRings(module: Module, ops: readonly Op[]): Module {
  const demands = new Map<ValueId, Demand[]>();
  const values: Record<ValueId, Value> = { ...module.values };
  const rewired = ops.map((op) => [...op.operands]);
  const behind: Op[][] = ops.map(() => []);
  const tooWide: Diagnostic[] = [];

  const setWidth = (id: ValueId, width: number, sharing: Sharing | undefined): void => {
    const value = values[id]!;
    if (!isFixed(value.type.element)) return;
    const element = fx(width, value.type.element.scale);
    values[id] = { ...value, type: { ...value.type, element, ...(sharing && { sharing }) } };
  };
  const like = (id: ValueId, from: ValueId, width: number, sharing: Sharing): ValueId => {
    const { type, range } = values[from]!;
    const scale = isFixed(type.element) ? type.element.scale : 0;
    values[id] = { type: { ...type, element: fx(width, scale), sharing }, ...(range && { range }) };
    return id;
  };

  for (let at = ops.length - 1; at >= 0; at--) {
    const op = ops[at]!;
    const result = module.values[op.result]!;
    const width = settle(op.result, at);
    if (width > widest) {
      tooWide.push({
        code: "MRL0522",
        message: `%${op.result} would need a ring of ${width} bits, at most ${widest} exist`,
        at: op.origin || `%${op.result}`,
        help: "lower the fractional bits (--precision), or calibrate to tighter ranges (--calibrate)",
      });
    }
    if (result.type.label === "shared")
      setWidth(op.result, Math.min(width, widest), op.name === "open" ? "wire" : "additive");
    for (const demand of wants({ ...module, values }, op, at, Math.min(width, widest))) {
      const id = op.operands[demand.place]!;
      const list = demands.get(id);
      if (list) list.push(demand);
      else demands.set(id, [demand]);
    }
  }
  throwIfAny(tooWide);

  function leastOf(id: ValueId): number {
    const { type, range } = module.values[id]!;
    if (!isFixed(type.element)) return 1;
    return range ? bitsFor(range, type.element.scale) : type.element.width;
  }

  /** The ring of a value from all its uses, with the opens and narrows that they need put behind its definition. */
  function settle(id: ValueId, definedAt: number): number {
    const { type } = module.values[id]!;
    const uses = demands.get(id) ?? [];
    // Only a reveal makes a value that is not shared: its operand is sent in the least ring that holds it.
    if (type.label !== "shared") return leastOf(ops[definedAt]!.operands[0]!);
    const wires = wireWidths(uses);
    const width = Math.max(
      leastOf(id),
      ...wires,
      ...uses.filter((use) => use.form === "share").map((use) => use.width),
    );
    const made = new Map<string, ValueId>();
    const narrowed = (to: number): ValueId => {
      if (to === width) return id;
      return make(`${id}.n${to}`, () => ({ name: "narrow", operands: [id], attrs: { width: to } }), to, "additive");
    };
    const make = (
      name: ValueId,
      build: () => { name: string; operands: readonly ValueId[]; attrs: Attrs; protocol?: string },
      to: number,
      sharing: Sharing,
    ): ValueId => {
      const known = made.get(name);
      if (known) return known;
      const built = build();
      made.set(name, like(name, id, to, sharing));
      behind[definedAt]!.push({ ...built, result: name, origin: ops[definedAt]!.origin });
      return name;
    };
    for (const use of uses) {
      const target =
        use.form === "share"
          ? narrowed(use.width)
          : openOf(wires.find((wire) => (use.exact ? wire === use.width : wire >= use.width))!);
      rewired[use.op]![use.place] = target;
    }
    return width;

    function openOf(to: number): ValueId {
      const name = wires.length === 1 ? `${id}.open` : `${id}.open${to}`;
      const operand = narrowed(to);
      return make(name, () => ({ name: "open", operands: [operand], attrs: {}, protocol: "masked.open" }), to, "wire");
    }
  }

  const planned = ops.flatMap((op, at) => [{ ...op, operands: rewired[at]! }, ...behind[at]!]);
  return { ...module, stage: "select", values, steps: planned.map((op) => ({ ops: [op] })) };
}

/** The wires to open for these uses, narrowest first: all exact rings, and one that serves the others. */
function wireWidths(uses: readonly Demand[]): readonly number[] {
  const wires = uses.filter((use) => use.form === "wire");
  const exact = [...new Set(wires.filter((use) => use.exact).map((use) => use.width))];
  const flexible = Math.max(0, ...wires.filter((use) => !use.exact).map((use) => use.width));
  const served = flexible === 0 || exact.some((width) => width >= flexible);
  return [...exact, ...(served ? [] : [flexible])].sort((a, b) => a - b);
}

/** What an op wants of its shared operands when its result has a ring of this width. */
function wants(module: Module, op: Op, at: number, width: number): readonly Demand[] {
  const shared = op.operands.map((id) => module.values[id]!.type.label === "shared");
  const protocol = op.protocol === undefined ? undefined : protocols.get(op.protocol);
  if (!protocol) {
    return op.operands.flatMap((_, place) =>
      shared[place] ? [{ op: at, place, form: "share" as const, width, exact: true }] : [],
    );
  }
  const widths = protocol.operandWidths({
    operands: op.operands.map((id) => fixedOf(module, id)),
    result: resultOf(module, op, width),
    attrs: { ...defaultsOf(op.name), ...op.attrs },
  });
  return op.operands.flatMap((_, place) => {
    const form = formOf(protocol, place);
    if (!shared[place] || (form !== "share" && form !== "wire")) return [];
    return [{ op: at, place, form, width: widths[place]!, exact: form === "share" || protocol.exactRings === true }];
  });
}

function defaultsOf(name: string): Attrs {
  const entries = Object.entries(opDef(name).attrs);
  return Object.fromEntries(entries.flatMap(([attr, def]) => (def.default === undefined ? [] : [[attr, def.default]])));
}
