import { type Diagnostic, throwIfAny } from "../../ir/diagnostic.ts";
import type { Module, Op, ValueId } from "../../ir/module.ts";
import { opDef, withDefaults } from "../../ir/registry.ts";
import { isBit, isFixed, minWidth, sizeOf } from "../../ir/type.ts";
import type { Spec } from "../../runtime/protocols/kit/index.ts";
import { maskedWidth } from "../../runtime/protocols/kit/index.ts";
import { protocols } from "../../runtime/protocols/registry.ts";
import { fixedOf, resultOf } from "./spec.ts";
import { operandForm } from "./traffic.ts";

/** Widest ring of the runtime. */
const maxWidth = 64;

/** One use of a shared value: in which ring, and whether as shares or as an open wire. */
export interface RingDemand {
  readonly op: number;
  readonly index: number;
  readonly form: "share" | "masked";
  readonly width: number;
  /** The protocol computes in this very ring; otherwise a wider wire serves as well. */
  readonly exact: boolean;
}

export interface RingPlan {
  /** Ring in which uses see a value. */
  readonly widths: ReadonlyMap<ValueId, number>;
  readonly demands: ReadonlyMap<ValueId, readonly RingDemand[]>;
  /** Values that are made in a short ring, of this width, and lifted to the one that uses see. */
  readonly shortened: ReadonlyMap<ValueId, number>;
}

/**
 * Ring widths from the end to the beginning: each use says which ring it wants, a value takes the widest of them, and
 * an op turns its result's ring into wants on its operands. Truncation takes `by` bits off the ring, so what it is
 * applied to is wider by just that, and extending a ring, the only thing that costs, is needed only where a chain of
 * truncations would want more bits than its beginning can give (protocols.md 1.2). There the smallest truncated
 * tensor of the chain is made short and lifted: one opening more.
 */
export function planWidths(module: Module, ops: readonly Op[], ring?: number): RingPlan {
  if (ring !== undefined) return planOneRing(module, ops, ring);
  const shortened = new Map<ValueId, number>();
  for (;;) {
    const { plan, tooWide } = planOnce(module, ops, shortened);
    if (tooWide.length === 0) return plan;
    const breaks = new Set(
      tooWide.map((one) => (one.limit === 1 ? one.id : truncationToBreakAt(module, ops, plan, one))),
    );
    if (breaks.has(undefined)) throwIfAny(tooWide.map(({ op, width, limit }) => impossible(op, width, limit)));
    for (const id of breaks) shortened.set(id!, shortWidth(module, id!));
  }
}

const isBoolean = (module: Module, id: ValueId): boolean => isBit(module.values[id]!.type.element);

/** A truncation on the way; where none would help, the value itself, if the short ring is within its protocol's limit. */
function truncationToBreakAt(
  module: Module,
  ops: readonly Op[],
  plan: RingPlan,
  { id, width, limit }: TooWide,
): ValueId | undefined {
  const liftable = width <= maxWidth && shortWidth(module, id) <= limit && !plan.shortened.has(id);
  return cheapestBreak(module, ops, plan, id) ?? (liftable ? id : undefined);
}

/** Ring in which a value is made that is lifted at once: that of its wire; truth values have a lift of their own. */
const shortWidth = (module: Module, id: ValueId): number =>
  isBoolean(module, id) ? 1 : maskedWidth(fixedOf(module, id));

/**
 * One ring for all: every use sees `ring` bits, as shares or as a wire, whatever a protocol would be content with.
 * Truth values alone are single bits until something counts them.
 */
function planOneRing(module: Module, ops: readonly Op[], ring: number): RingPlan {
  const widths = new Map<ValueId, number>();
  const demands = new Map<ValueId, RingDemand[]>();
  const shortened = new Map<ValueId, number>();
  for (const [at, op] of [...ops.entries()].reverse()) {
    const id = op.result;
    const wanted = (demands.get(id) ?? []).map(({ width }) => width);
    const width = isBoolean(module, id) ? Math.max(1, ...wanted) : ring;
    const short = width > 1 && limitOf(module, op) === 1;
    widths.set(id, width);
    if (short) shortened.set(id, 1);
    for (const demand of demandsOf(module, op, at, short ? 1 : width)) {
      const operand = op.operands[demand.index]!;
      const single = demand.width === 1 || (width === 1 && isBoolean(module, operand));
      demands.set(operand, [...(demands.get(operand) ?? []), { ...demand, width: single ? 1 : ring }]);
    }
  }
  return { widths, demands, shortened };
}

interface TooWide {
  readonly id: ValueId;
  readonly op: Op;
  readonly width: number;
  readonly limit: number;
}

function planOnce(
  module: Module,
  ops: readonly Op[],
  shortened: ReadonlyMap<ValueId, number>,
): { readonly plan: RingPlan; readonly tooWide: readonly TooWide[] } {
  const widths = new Map<ValueId, number>();
  const demands = new Map<ValueId, RingDemand[]>();
  const tooWide: TooWide[] = [];
  for (let at = ops.length - 1; at >= 0; at--) {
    const op = ops[at]!;
    const id = op.result;
    const width = widthOf(module, op, demands.get(id) ?? []);
    widths.set(id, width);
    const made = shortened.get(id) ?? width;
    const limit = Math.min(maxWidth, limitOf(module, op));
    if (made > limit || width > maxWidth) tooWide.push({ id, op, width, limit });
    for (const demand of demandsOf(module, op, at, Math.min(made, limit))) {
      const operand = op.operands[demand.index]!;
      const known = demands.get(operand);
      if (known) known.push(demand);
      else demands.set(operand, [demand]);
    }
  }
  return { plan: { widths, demands, shortened: new Map(shortened) }, tooWide };
}

/** The widest of what its uses want, and at least what holds its range. */
function widthOf(module: Module, op: Op, uses: readonly RingDemand[]): number {
  // Only a reveal makes a value that is not shared: its operand is sent in the least ring that holds it.
  if (module.values[op.result]!.type.label !== "shared") return minWidthOf(module, op.operands[0]!);
  const shares = uses.filter((use) => use.form === "share").map((use) => use.width);
  return Math.max(minWidthOf(module, op.result), ...shares, ...maskedRings(uses));
}

function minWidthOf(module: Module, id: ValueId): number {
  const { type, range } = module.values[id]!;
  if (!isFixed(type.element)) return 1;
  return range ? minWidth(range, type.element) : type.element.width;
}

/** The wires to open for these uses, narrowest first: all exact rings, and one that serves the others. */
export function maskedRings(uses: readonly RingDemand[]): readonly number[] {
  const masked = uses.filter((use) => use.form === "masked");
  const exact = [...new Set(masked.filter((use) => use.exact).map((use) => use.width))];
  const flexible = Math.max(0, ...masked.filter((use) => !use.exact).map((use) => use.width));
  const served = flexible === 0 || exact.some((width) => width >= flexible);
  return [...exact, ...(served ? [] : [flexible])].sort((a, b) => a - b);
}

const specFor = (module: Module, op: Op, width: number): Spec => ({
  operands: op.operands.map((id) => fixedOf(module, id)),
  result: resultOf(module, op, width),
  attrs: { ...withDefaults(opDef(op.name), op.attrs), ...op.tuning },
});

/** Widest ring in which the op can give its result. */
function limitOf(module: Module, op: Op): number {
  const protocol = op.protocol === undefined ? undefined : protocols.get(op.protocol);
  return protocol?.maxResultWidth?.(specFor(module, op, maxWidth)) ?? maxWidth;
}

/** What an op wants of its shared operands when its result has a ring of this width. */
function demandsOf(module: Module, op: Op, at: number, width: number): readonly RingDemand[] {
  const shared = op.operands.map((id) => module.values[id]!.type.label === "shared");
  const protocol = op.protocol === undefined ? undefined : protocols.get(op.protocol);
  const rings = protocol?.operandWidths(specFor(module, op, width));
  return op.operands.flatMap((_, index) => {
    const form = protocol ? operandForm(protocol, index) : "share";
    if (!shared[index] || (form !== "share" && form !== "masked" && form !== "replicated")) return [];
    const exact = form !== "masked" || protocol?.exactRings === true;
    return [{ op: at, index, form: form === "masked" ? form : "share", width: rings?.[index] ?? width, exact }];
  });
}

/**
 * Where to break the chain of rings that starts at a value: the truncation with the fewest elements on the way along
 * its widest uses, up to where a ring of the use's own begins. One whose uses want no more than the short ring does not
 * carry the chain: to make it short would save nothing.
 */
function cheapestBreak(module: Module, ops: readonly Op[], plan: RingPlan, start: ValueId): ValueId | undefined {
  let best: ValueId | undefined;
  const size = (id: ValueId): number => sizeOf(module.values[id]!.type.shape);
  for (let id: ValueId | undefined = start; id !== undefined; ) {
    const uses: readonly RingDemand[] = plan.demands.get(id) ?? [];
    const most = Math.max(0, ...uses.filter((use) => use.form === "share").map((use) => use.width));
    const user: Op | undefined = ops[uses.find((use) => use.form === "share" && use.width === most)?.op ?? -1];
    const next: ValueId | undefined =
      user && module.values[user.result]!.type.label === "shared" ? user.result : undefined;
    if (next === undefined || plan.shortened.has(next)) return best;
    const carries = user!.name === "truncate" && (plan.widths.get(next) ?? 0) > shortWidth(module, next);
    if (carries && (best === undefined || size(next) < size(best))) best = next;
    id = next;
  }
  return best;
}

const impossible = (op: Op, width: number, limit: number): Diagnostic => ({
  code: "MRL0522",
  message: `%${op.result} would need a ring of ${width} bits, and ${op.protocol ?? op.name} gives at most ${limit}`,
  at: op.origin || `%${op.result}`,
  help: "lower the fractional bits (--precision), or calibrate to tighter ranges (--calibrate)",
});
