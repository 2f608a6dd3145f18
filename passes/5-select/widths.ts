import { type Diagnostic, throwIfAny } from "../../ir/diagnostic.ts";
import type { Module, Op, ValueId } from "../../ir/module.ts";
import { opDef, withDefaults } from "../../ir/registry.ts";
import { isBit, isFixed, minWidth, sizeOf } from "../../ir/type.ts";
import { maskedWidth, type Spec } from "../../runtime/protocols/kit/index.ts";
import { protocols } from "../../runtime/protocols/registry.ts";
import { fixedOf, resultOf } from "./spec.ts";
import { operandForm } from "./traffic.ts";

/** Widest ring of the runtime. */
const maxWidth = 64;

/** One use of a shared value: in which ring, and whether as shares or as a masked value. */
export interface RingDemand {
  readonly op: number;
  readonly index: number;
  readonly form: "share" | "masked";
  readonly width: number;
  /** The protocol computes in exactly this ring; otherwise a wider masked value serves as well. */
  readonly exact: boolean;
}

export interface RingPlan {
  /** Ring in which uses see a value. */
  readonly widths: ReadonlyMap<ValueId, number>;
  readonly demands: ReadonlyMap<ValueId, readonly RingDemand[]>;
  /** Values that are computed in a short ring of this width, and extended to the one that uses see. */
  readonly shortened: ReadonlyMap<ValueId, number>;
}

/**
 * Plans ring widths from the end to the beginning. Each use demands a ring, a value takes the widest demand, and an op
 * turns its result's ring into demands on its operands. Truncation drops `by` bits of the ring, so its operand is wider
 * by just that. Only extending a ring costs traffic. It is needed where a chain of truncations would demand more bits
 * than its beginning can give (protocols.md 1.2). There the smallest truncated tensor of the chain is computed short
 * and extended, which costs one more opening. Throws MRL0522.
 */
export function planWidths(module: Module, ops: readonly Op[], ring?: number): RingPlan {
  if (ring !== undefined) return planOneRing(module, ops, ring);
  const shortened = new Map<ValueId, number>();
  const short = shortWidths(module, ops);
  for (;;) {
    const { plan, tooWide } = planOnce(module, ops, shortened);
    if (tooWide.length === 0) return plan;
    const breaks = new Set(
      tooWide.map((one) => (one.limit === 1 ? one.id : truncationToBreakAt(module, ops, plan, one, short))),
    );
    if (breaks.has(undefined)) throwIfAny(tooWide.map(({ op, width, limit }) => impossible(op, width, limit)));
    for (const id of breaks) shortened.set(id!, short(id!));
  }
}

const isBoolean = (module: Module, id: ValueId): boolean => isBit(module.values[id]!.type.element);

/** A truncation on the way; if none helps, the value itself, if its protocol can return the short ring. */
function truncationToBreakAt(
  module: Module,
  ops: readonly Op[],
  plan: RingPlan,
  { id, width, limit }: TooWide,
  short: ShortWidth,
): ValueId | undefined {
  const extendable = width <= maxWidth && short(id) <= limit && !plan.shortened.has(id);
  return cheapestBreak(module, ops, plan, id, short) ?? (extendable ? id : undefined);
}

type ShortWidth = (id: ValueId) => number;

/**
 * Rings in which values that are then extended are computed: those of their masked values, with the headroom of a range
 * check that reads them, which would otherwise see a value that has wrapped; booleans have their own protocol.
 */
function shortWidths(module: Module, ops: readonly Op[]): ShortWidth {
  const checks = ops.filter(({ name }) => name === "outside");
  const headroom = new Map(checks.map(({ operands: [id], attrs }) => [id!, Number(attrs.headroom)]));
  return (id) => (isBoolean(module, id) ? 1 : maskedWidth(fixedOf(module, id)) + (headroom.get(id) ?? 0));
}

/**
 * One ring for all: every use sees `ring` bits, as shares or as a masked value, even where a protocol needs fewer. Only
 * booleans are single bits, until an op uses them as numbers.
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
    // A later break may have left the uses with no more bits than the short ring has: then nothing is extended.
    const short = shortened.get(id);
    const made = short !== undefined && short < width ? short : width;
    const limit = Math.min(maxWidth, limitOf(module, op));
    if (made > limit || width > maxWidth) tooWide.push({ id, op, width, limit });
    for (const demand of demandsOf(module, op, at, Math.min(made, limit))) {
      const operand = op.operands[demand.index]!;
      const known = demands.get(operand);
      if (known) known.push(demand);
      else demands.set(operand, [demand]);
    }
  }
  const extended = [...shortened].filter(([id, short]) => short < widths.get(id)!);
  return { plan: { widths, demands, shortened: new Map(extended) }, tooWide };
}

/**
 * The widest demand of its uses, and at least the ring that holds its range. A local sum has one ring with its terms,
 * which may be wider than the sum, as in x − max(x).
 */
function widthOf(module: Module, op: Op, uses: readonly RingDemand[]): number {
  // Only a reveal makes a value that is not shared: its operand is sent in the smallest ring that holds it.
  if (module.values[op.result]!.type.label !== "shared") return minWidthOf(module, op.operands[0]!);
  const { ring } = opDef(op.name);
  if (ring !== undefined) return ring;
  const shares = uses.filter((use) => use.form === "share").map((use) => use.width);
  const isSum = op.protocol === undefined && opDef(op.name).linear === "joint";
  const terms = isSum ? op.operands.filter((id) => module.values[id]!.type.label === "shared") : [];
  const held = [op.result, ...terms].map((id) => minWidthOf(module, id));
  return Math.max(...held, ...shares, ...maskedRings(uses));
}

function minWidthOf(module: Module, id: ValueId): number {
  const { type, range } = module.values[id]!;
  if (!isFixed(type.element)) return 1;
  return range ? minWidth(range, type.element) : type.element.width;
}

/**
 * Rings of the masked values to open for these uses, narrowest first: all exact rings, and one that serves the others.
 */
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

/** Demands of an op on its shared operands if its result has a ring of this width. */
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
 * Where to break the chain of rings that starts at a value: the truncation with the fewest elements along its widest
 * uses, up to the first use with a ring of its own. A truncation whose uses demand no more than the short ring does not
 * carry the chain: a break there would save nothing.
 */
function cheapestBreak(
  module: Module,
  ops: readonly Op[],
  plan: RingPlan,
  start: ValueId,
  short: ShortWidth,
): ValueId | undefined {
  let best: ValueId | undefined;
  const size = (id: ValueId): number => sizeOf(module.values[id]!.type.shape);
  for (let id: ValueId | undefined = start; id !== undefined; ) {
    const uses: readonly RingDemand[] = plan.demands.get(id) ?? [];
    const most = Math.max(0, ...uses.filter((use) => use.form === "share").map((use) => use.width));
    const user: Op | undefined = ops[uses.find((use) => use.form === "share" && use.width === most)?.op ?? -1];
    const next: ValueId | undefined =
      user && module.values[user.result]!.type.label === "shared" ? user.result : undefined;
    if (next === undefined || plan.shortened.has(next)) return best;
    const carries = user!.name === "truncate" && (plan.widths.get(next) ?? 0) > short(next);
    if (carries && (best === undefined || size(next) < size(best))) best = next;
    id = next;
  }
  return best;
}

const impossible = (op: Op, width: number, limit: number): Diagnostic => ({
  code: "MRL0522",
  message: `%${op.result}: expected a ring of at most ${limit} bits, which ${op.protocol ?? op.name} can return, found a demand for ${width}`,
  at: op.origin || `%${op.result}`,
  help: "calibrate to tighter ranges (--calibrate <folder>), or bound the values in the model, as Clip does",
});
