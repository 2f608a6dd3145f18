import type { InterpretOptions } from "../../ir/interpret.ts";
import { type Attrs, type Module, type Op, opsOf, type ValueId } from "../../ir/module.ts";
import type { Tensor } from "../../ir/tensor.ts";
import { type Interval, isFixed } from "../../ir/type.ts";
import { hasInnerRange, measures } from "./inner-ranges.ts";
import { roundingPart, withRounding } from "./rounding-room.ts";

/** Elements of a value that left the public bounds which its ring and the protocols behind it were planned for. */
export interface Departure {
  readonly value: ValueId;
  /** The node of the model, or the value. */
  readonly at: string;
  /** Elements of the value itself, or what an operator computes on the way to it. */
  readonly what: "values" | "scores" | "sums";
  readonly bounds: Interval;
  /** The element farthest beyond. */
  readonly found: number;
}

export interface DepartureWatch {
  /** For `interpret`: sees every value of one run. */
  readonly observe: NonNullable<InterpretOptions["observe"]>;
  /** In program order. */
  readonly found: readonly Departure[];
}

/** Conversions of a value into another ring: what a use drops there may wrap (`within` of 5-select). */
const conversions: ReadonlySet<string> = new Set(["narrow", "open", "extend"]);

/** Bounds of an operator's inner value, from the facts that its protocol relies on. */
function innerBounds({ score_bound: score, sum_lo: lo, sum_hi: hi }: Attrs): Departure["bounds"] | undefined {
  if (typeof score === "number") return { lo: -score, hi: score };
  return typeof lo === "number" && typeof hi === "number" ? { lo, hi } : undefined;
}

/** Watches a run of a quantized module for values and inner values beyond their public bounds. */
export function watchDepartures(module: Module): DepartureWatch {
  const found: Departure[] = [];
  const makers = new Map<ValueId, Op>(opsOf(module).map((op) => [op.result, op]));
  const readers = opsOf(module).filter((op) => hasInnerRange(op) && innerBounds(op.attrs));
  const wanted = new Set(readers.flatMap(({ operands }) => operands));
  const seen = new Map<ValueId, Tensor>();
  const note = (op: Op, what: Departure["what"], bounds: Interval, extremes: Interval, allowed: Interval): void => {
    const [below, above] = [allowed.lo - extremes.lo, extremes.hi - allowed.hi];
    if (below <= 0 && above <= 0) return;
    const farthest = below > above ? extremes.lo : extremes.hi;
    found.push({ value: op.result, at: op.origin || `%${op.result}`, what, bounds, found: farthest });
  };
  const observe: DepartureWatch["observe"] = (id, value) => {
    if (wanted.has(id)) seen.set(id, value);
    const op = makers.get(id);
    const { type, range } = module.values[id]!;
    if (!op || type.label !== "shared" || !isFixed(type.element) || conversions.has(op.name)) return;
    if (range) note(op, "values", range, extremesOf(value), withRounding(range, type.element.scale));
    const bounds = hasInnerRange(op) ? innerBounds(op.attrs) : undefined;
    if (!bounds) return;
    const inner = measures[op.name]!(
      op.operands.map((operand) => seen.get(operand)!),
      op.attrs,
    );
    const slack = roundingPart * Math.max(Math.abs(bounds.lo), Math.abs(bounds.hi));
    const allowed = { lo: bounds.lo < 0 ? bounds.lo - slack : bounds.lo * (1 - roundingPart), hi: bounds.hi + slack };
    note(op, bounds.lo < 0 ? "scores" : "sums", bounds, inner, allowed);
  };
  return { observe, found };
}

function extremesOf({ data }: Tensor): Interval {
  let [lo, hi] = [Infinity, -Infinity];
  for (const x of data) {
    if (x < lo) lo = x;
    if (x > hi) hi = x;
  }
  return data.length > 0 ? { lo, hi } : { lo: 0, hi: 0 };
}
