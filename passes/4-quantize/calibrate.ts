import type { Diagnostic } from "../../ir/diagnostic.ts";
import { interpret } from "../../ir/interpret.ts";
import { type Op, opsOf, type ValueId } from "../../ir/module.ts";
import type { Precision } from "../../ir/ops/define.ts";
import { hasData, type Tensor } from "../../ir/tensor.ts";
import { fx, type Interval } from "../../ir/type.ts";
import type { PassState } from "../pass.ts";
import { widenForAdapters } from "./adapter-ranges.ts";
import type { Calibration, Observation } from "./calibration-types.ts";
import { hasInnerRange, type InnerRange, measures } from "./inner-ranges.ts";
import { analyzeRanges } from "./interval-analysis.ts";
import { checkFits } from "./param-forms.ts";
import { defaultPrecision, weightBits } from "./precision.ts";

export interface CalibrateOptions {
  /** Factor on measured magnitudes. */
  readonly margin?: number;
  /**
   * Lower bound of measured magnitudes: where a surrogate of a private weight is zero, everything behind it measures as
   * zero, and the real weight would leave the ring.
   */
  readonly floor?: number;
  readonly precision?: Precision;
  /** Powers of two that the provider publishes as bounds of private weights, by their params. */
  readonly published?: ReadonlyMap<ValueId, number>;
  /**
   * The module holds expanded formulas of a system with one ring: bounds only ensure that values fit. Small values
   * inside a formula (2^−40 after squarings) vary by orders of magnitude with the weights, so no lower end is kept, the
   * margin counts twice, and the floor is `formulaFloor`.
   */
  readonly expanded?: boolean;
}

const formulaFloor = 64;

/**
 * Bounds of every value: the range measured on the given inputs, widened, or the one that interval analysis proves,
 * whichever is tighter. Without inputs: interval analysis alone.
 *
 * Bounds decide ring widths, which everybody sees. So the inputs must be public calibration data, and `weights` must
 * hold public surrogates of private tensors (base weights; zero for B of a LoRA pair). This function cannot check that;
 * the caller declares in the manifest which it used.
 */
export function calibrate(
  secure: PassState,
  inputs: readonly ReadonlyMap<ValueId, Tensor>[],
  { margin = 2, floor = 1, precision = defaultPrecision, published, expanded = false }: CalibrateOptions = {},
): Calibration {
  const observed = inputs.length > 0 ? widenForAdapters(secure.module, observe(secure, inputs)) : undefined;
  if (!observed) return analyzeRanges(secure, precision, undefined, published);
  if (!expanded) return analyzeRanges(secure, precision, widen(observed, margin, floor), published);
  const values = new Map([...observed.values].map(([id, range]) => [id, formulaRange(range, margin ** 2)]));
  return analyzeRanges(secure, precision, { values, inner: observed.inner }, published);
}

function formulaRange({ lo, hi }: Interval, margin: number): Interval {
  const most = Math.max(formulaFloor, margin * Math.max(Math.abs(lo), Math.abs(hi)));
  return { lo: -most, hi: most };
}

/**
 * Reports values that leave their public bounds with the true weights on the given inputs. For the provider alone: it
 * shows which value would leave its ring, before a client meets it.
 */
export function checkCalibration(
  secure: PassState,
  inputs: readonly ReadonlyMap<ValueId, Tensor>[],
  { ranges }: Calibration,
): readonly Diagnostic[] {
  const heavy = weightsBeyond(secure, ranges);
  // All other violations follow from these.
  if (heavy.length > 0) return heavy;
  const { values, undefinedAt } = observe(secure, inputs);
  const origins = new Map(opsOf(secure.module).map((op) => [op.result, op.origin]));
  if (undefinedAt !== undefined)
    return [
      {
        code: "MRL0507",
        message: `%${undefinedAt}: expected numbers with the private weights on the calibration inputs, found NaN`,
        at: origins.get(undefinedAt) || `%${undefinedAt}`,
        because: ["a quotient by 0, or a norm of equal elements without an epsilon, has no value on shares either"],
        help: "remove the samples for which the model is undefined, or repair the node",
      },
    ];
  return [...values].flatMap(([id, { lo, hi }]) => {
    const bounds = ranges.get(id);
    const isWeight = Object.hasOwn(secure.module.params, id);
    if (isWeight || !bounds || (lo >= bounds.lo && hi <= bounds.hi)) return [];
    return [
      {
        code: "MRL0505",
        message: `%${id}: expected values in the public bounds [${bounds.lo}, ${bounds.hi}], found [${lo}, ${hi}] with the private weights`,
        at: origins.get(id) || `%${id}`,
        help: "calibrate on more public inputs (--calibrate): bounds must not be fitted to private weights",
      },
    ];
  });
}

/** Private weights that leave the range that every private weight gets, whatever it holds. */
function weightsBeyond({ module, weights }: PassState, ranges: Calibration["ranges"]): readonly Diagnostic[] {
  return Object.entries(module.params).flatMap(([id, name]) => {
    const [value, bounds] = [weights.get(name), ranges.get(id)];
    if (module.values[id]!.type.label !== "server" || !value || !hasData(value) || !bounds) return [];
    const found = checkFits(name, value, fx(weightBits, weightBits - 1 - Math.log2(bounds.hi)));
    return found ? [found] : [];
  });
}

function observe(
  { module, weights }: PassState,
  runs: readonly ReadonlyMap<ValueId, Tensor>[],
): Observation & { readonly undefinedAt: ValueId | undefined } {
  const values = new Map<ValueId, Interval>();
  const inner = new Map<ValueId, InnerRange>();
  let undefinedAt: ValueId | undefined;
  const interesting = opsOf(module).filter(hasInnerRange);
  const readBy = new Map<ValueId, Op>(interesting.map((op) => [op.result, op]));
  const wanted = new Set(interesting.flatMap((op) => op.operands));
  for (const run of runs) {
    const seen = new Map<ValueId, Tensor>();
    interpret(module, weights, run, {
      observe: (id, value) => {
        const range = extendRange(values.get(id), elementRange(value));
        if (range) values.set(id, range);
        if (undefinedAt === undefined && value.data.some(Number.isNaN)) undefinedAt = id;
        if (wanted.has(id)) seen.set(id, value);
        const op = readBy.get(id);
        if (!op) return;
        const operands = op.operands.map((operand) => seen.get(operand)!);
        const innerRange = extendRange(inner.get(id), measures[op.name]!(operands, op.attrs));
        if (innerRange) inner.set(id, innerRange);
      },
    });
  }
  return { values, inner, undefinedAt };
}

function elementRange({ data }: Tensor): Interval {
  let [lo, hi] = [Infinity, -Infinity];
  for (const x of data) {
    // −∞ in a mask is no magnitude.
    if (x < lo && x !== -Infinity) lo = x;
    if (x > hi && x !== Infinity) hi = x;
  }
  return lo > hi ? { lo: 0, hi: 0 } : { lo, hi };
}

/**
 * The hull of both. NaN counts as no range: surrogates of private weights, often zeros, may cause it, not the weights.
 */
function extendRange(known: Interval | undefined, { lo, hi }: Interval): Interval | undefined {
  if (Number.isNaN(lo) || Number.isNaN(hi)) return known;
  return known ? { lo: Math.min(known.lo, lo), hi: Math.max(known.hi, hi) } : { lo, hi };
}

/**
 * Samples do not prove signs, so intervals become symmetric. An all-positive one keeps a lower end, in case interval
 * analysis proves the sign.
 */
function widen({ values, inner }: Observation, margin: number, floor: number): Observation {
  const wide = ([id, { lo, hi }]: [ValueId, Interval]): [ValueId, Interval] => {
    const most = Math.max(floor, margin * Math.max(Math.abs(lo), Math.abs(hi)));
    return [id, { lo: lo > 0 ? lo / margin ** 2 : -most, hi: most }];
  };
  // Scores have both signs and take the margin like a value; sums of squares take its square.
  const wideInner = ([id, { lo, hi }]: [ValueId, InnerRange]): [ValueId, InnerRange] => [
    id,
    { lo: lo < 0 ? lo * margin : lo / margin ** 2, hi: hi * (lo < 0 ? margin : margin ** 2) },
  ];
  return { values: new Map([...values].map(wide)), inner: new Map([...inner].map(wideInner)) };
}
