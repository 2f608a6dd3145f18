import type { Diagnostic } from "../../ir/diagnostic.ts";
import { exactScale } from "../../ir/infer.ts";
import type { Op, Value, ValueId } from "../../ir/module.ts";
import type { Precision, ScaleRule } from "../../ir/ops/define.ts";
import { opDef, withDefaults } from "../../ir/registry.ts";
import { type Interval, isFixed } from "../../ir/type.ts";
import type { PassState } from "../pass.ts";
import type { Calibration } from "./calibration-types.ts";
import type { FineInputs } from "./fine-inputs.ts";
import type { UnfitWeight } from "./param-forms.ts";

export interface ScaleOptions {
  readonly precision: Precision;
  readonly calibration: Calibration;
  /** Inputs that hold integers: they are shared without fractional bits. */
  readonly integers: ReadonlySet<ValueId>;
  readonly fine: FineInputs;
  /** A norm, product or activation that is opened rounds by shares: whether it keeps `openedBits` more, which a truncation then drops exactly. */
  readonly roundsOpened: boolean;
  /** Products of secrets keep all their bits, so that a separate truncation, which can be exact, drops them. */
  readonly exact: boolean;
}

export interface ScaleState extends ScaleOptions, PassState {
  readonly users: ReadonlyMap<ValueId, readonly Op[]>;
  readonly makers: ReadonlyMap<ValueId, Op>;
  readonly values: Record<ValueId, Value>;
  readonly params: Record<ValueId, string>;
  readonly ops: Op[];
  readonly problems: Diagnostic[];
  readonly unfit: UnfitWeight[];
  readonly fresh: (base: string) => ValueId;
  /** Values that several readers share: truncations and forms of params. */
  readonly made: Map<string, ValueId>;
  /** Fractional bits that readers want. */
  readonly wanted: Map<ValueId, number>;
}

/** Fractional bits of a shared value; undefined for a value that some party knows. */
export function scaleAt(id: ValueId, { values }: ScaleState): ScaleRule["operands"][number] | undefined {
  const value = values[id];
  return value && value.type.label === "shared" && isFixed(value.type.element) ? value.type.element.scale : undefined;
}

/** Whether a value is added to, or concatenated with, another shared one: sums have the smaller scale of the two. */
export function isCombined(id: ValueId, walk: ScaleState): boolean {
  const { module, users } = walk;
  return (users.get(id) ?? []).some((op) => {
    if (passesScale.has(op.name)) return isCombined(op.result, walk);
    if (opDef(op.name).linear !== "joint") return false;
    const shared = new Set(op.operands.filter((operand) => module.values[operand]!.type.label === "shared"));
    return shared.size > 1 || isCombined(op.result, walk);
  });
}

/** Operators that pass their operand's scale to their own readers. */
const passesScale: ReadonlySet<string> = new Set(["reshape", "transpose", "slice", "expand", "take-over"]);

/**
 * Maximum fractional bits that a reader wants of a value, if all its operands have as many as wanted. An operator that
 * passes its operand's scale on, or adds it to others, wants what its own readers do.
 */
export function wantedOf(id: ValueId, walk: ScaleState): number {
  const known = walk.wanted.get(id);
  if (known !== undefined) return known;
  const { activation } = walk.precision;
  const wanted = (walk.users.get(id) ?? []).map((op) => {
    if (passesScale.has(op.name)) return wantedOf(op.result, walk);
    const own = ruleOf(op, plentiful(op, walk), walk)?.operands[op.operands.indexOf(id)] ?? activation;
    const scale = own < plenty ? (walk.precision.fine ? own : Math.min(own, activation)) : activation;
    if (op.name === "reveal" && walk.roundsOpened && roundsInside(id, walk)) return scale + openedBits;
    if (opDef(op.name).linear === "joint") return Math.max(scale, wantedOf(op.result, walk));
    const most = wantedOf(op.result, walk);
    return most > activation ? Math.max(scale, most + bitsOfFactor(op, id, walk)) : scale;
  });
  const most = wanted.length > 0 ? Math.max(...wanted) : activation;
  walk.wanted.set(id, most);
  return most;
}

/**
 * What a norm, a product or an activation that is opened keeps beyond the bits that its reader gets. Its own rounding is
 * by shares, so its result may be off by a unit: that carry decides one opened rounding of 2^8, and all of them without
 * these bits. Exponentials and softmax round on the way to their result, so more bits of the result change nothing.
 */
const openedBits = 8;
const roundsByShares: ReadonlySet<string> = new Set([
  ...["rms-norm", "layer-norm", "mul", "gelu", "silu", "sigmoid", "tanh", "erf"],
]);

/** Whether a value is the result of such an operator, at most after operators that each party computes alone. */
function roundsInside(id: ValueId, walk: ScaleState): boolean {
  const maker = walk.makers.get(id);
  if (!maker) return false;
  if (roundsByShares.has(maker.name)) return true;
  return opDef(maker.name).linear === "joint" && maker.operands.some((operand) => roundsInside(operand, walk));
}

/**
 * Bits before the point of the public factor that a value is multiplied by: a mean has fewer fractional bits than the sum
 * that it is a part of. −∞ for any other operator, whose result asks nothing more of its operands.
 */
function bitsOfFactor({ name, operands }: Op, id: ValueId, { module, calibration }: ScaleState): number {
  const factor = operands[1 - operands.indexOf(id)];
  if (name !== "mul" || factor === undefined || !Object.hasOwn(module.params, factor)) return -Infinity;
  if (module.values[factor]!.type.label !== "public") return -Infinity;
  const { lo, hi } = calibration.ranges.get(factor)!;
  return Math.min(0, Math.ceil(Math.log2(Math.max(Math.abs(lo), Math.abs(hi)))) + guardBits);
}

/** A sum of many terms adds up their roundings. */
const guardBits = 3;

/** More fractional bits than any operator wants. */
const plenty = 60;

const plentiful = ({ operands }: Op, { module }: ScaleState): readonly (number | undefined)[] =>
  operands.map((id) => (module.values[id]!.type.label === "shared" ? plenty : undefined));

/**
 * The scale rule of the op's table; see `ScaleOptions.exact`. A result has the precision of activations, or more where a
 * reader wants more, as a norm of rows with a small deviation does. That asks nothing more of the operands: a raise must
 * not add up over layers.
 */
export function ruleOf(op: Op, at: readonly (number | undefined)[], walk: ScaleState): ScaleRule | undefined {
  const { module, calibration, precision } = walk;
  const def = opDef(op.name);
  if (!def.scales) return undefined;
  const attrs = withDefaults(def, { ...op.attrs, ...calibration.facts.get(op.result) });
  const rangeOf = (id: ValueId): Interval => calibration.ranges.get(id) ?? unbounded;
  const magnitudeOf = (id: ValueId): number => calibration.magnitudes?.get(id) ?? 0;
  const wanted = Math.max(precision.activation, wantedOf(op.result, walk));
  const known = {
    shapes: op.operands.map((id) => module.values[id]!.type.shape),
    ranges: op.operands.map(rangeOf),
    result: rangeOf(op.result),
    wanted,
  };
  const magnitudes = { operands: op.operands.map(magnitudeOf), result: magnitudeOf(op.result) };
  const own = def.scales(at, attrs, precision, precision.fine ? { ...known, magnitudes } : undefined);
  const rule = walk.fine.ruleOf(op, own, at);
  if (walk.exact && def.linear === "each" && at.every((scale) => scale !== undefined))
    return { ...rule, result: exactScale(def, rule.operands) };
  // A product with a weight has the exact sum of both scales: nothing raises it.
  const isExact = def.linear === "each" && at.some((scale) => scale === undefined);
  if (wanted === precision.activation || isExact) return rule;
  const held = rule.operands.map((scale, index) => (at[index] === undefined ? undefined : scale));
  const raised = def.scales(held, attrs, { ...precision, activation: wanted }, known);
  if (def.linear !== "joint") return { ...rule, result: raised.result };
  // What is moved, selected or added has one scale with the result: a param has it, whoever looks it up.
  return { ...raised, operands: rule.operands.map((scale, k) => (at[k] === undefined ? raised.operands[k]! : scale)) };
}

const unbounded: Interval = { lo: -Infinity, hi: Infinity };
