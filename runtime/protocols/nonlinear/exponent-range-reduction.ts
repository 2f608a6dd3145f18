import { type MaskedValue, type Party, parallel, type Steps } from "../../core/index.ts";
import {
  add,
  concat,
  filled,
  floorLog2,
  powerOfTwo,
  type RingTensor,
  reshape,
  type Series,
  shiftLeft,
} from "../../ring/index.ts";
import { maskAndOpen } from "../boundary/index.ts";
import { belowThresholds, type Comparison, comparisonRefusal } from "../comparison/index.ts";
import { entryAt, mapMasked, narrowMasked, publicConstant, selectMasked, signedBits } from "../kit/index.ts";
import { evaluateFourier, fourierWidth, roundingError } from "./fourier-series.ts";

/**
 * 1/m, 1/√m and ln m for m in [1, 2), period 4 (least squares with equal ripple; errors 1.7e-6, 5.7e-7 and 7.7e-7; the
 * test evaluates them).
 */
export const mantissaSeries = {
  reciprocal: {
    constant: 1.545602189,
    cosines: [1.434803504, 0.423215523, 0.025680976, -0.008331528],
    sines: [-0.256033101, -0.3905685, -0.141976258, -0.014954383],
  },
  rsqrt: {
    constant: 1.133680281,
    cosines: [0.585010746, 0.175954863, 0.015144435, -0.002372612],
    sines: [-0.00475062, -0.121688432, -0.049397245, -0.00551258],
  },
  log: {
    constant: -0.012644915,
    cosines: [-0.97096719, -0.300565687, -0.033033684, 0.002356137],
    sines: [-0.221895568, 0.134201565, 0.068380567, 0.008269467],
  },
} as const satisfies Record<string, Series>;

export type RangeReducedFunction = keyof typeof mantissaSeries;

/** Worst error of the series on [1, 2). */
const fitError = 1.8e-6;
/**
 * Fractional bits of each binade's own value, which lies in (1/2, 1·√2], or is a logarithm: at least these, and two more
 * than the result's while the fit allows it.
 */
const mantissaBits = 14;
const mostMantissaBits = 20;
export const mantissaBitsFor = (scale: number): number => Math.min(mostMantissaBits, Math.max(mantissaBits, scale + 2));

/**
 * Ring of a binade's inverse: sign, slack, and the range of a series outside its binade, which the selection discards.
 */
const mantissaWidth = ({ bits }: RangeReduction): number => bits + 4;

export interface RangeReduction {
  readonly name: RangeReducedFunction;
  /** Binades of the raw value: [2^first, 2^(first+1)), …, [2^last, 2^(last+1)). */
  readonly first: number;
  readonly last: number;
  /** Fractional bits of the operand. */
  readonly scale: number;
  /** Constant factor on the result. */
  readonly factor: number;
  /** Fractional bits of each binade's own value. */
  readonly bits: number;
}

/** Fractional bits of the result, chosen so that the smallest inverse keeps `bits` significant bits. */
export const rangeReductionScale = (plan: RangeReduction): number => plan.bits - binadeExponent(plan, plan.last);

/** Ring of each binade's own value. */
const binadeValueWidth = (plan: RangeReduction): number => {
  if (plan.name !== "log") return mantissaWidth(plan);
  const bound = Math.max(...[plan.first, plan.last + 1].map((binade) => Math.abs(logarithmOfBinade(plan, binade))));
  return signedBits(-bound, bound, plan.bits) + 1;
};

/** Bits of the result at `rangeReductionScale`, with sign and slack. */
export const rangeReductionResultWidth = (plan: RangeReduction): number =>
  binadeValueWidth(plan) + binadeExponent(plan, plan.first) - binadeExponent(plan, plan.last);

/**
 * Widest ring of a result at `rangeReductionScale`: with one binade it is the series' own, whose sum has the bits of both
 * harmonics beside it.
 */
export const rangeReductionWidestRing = (plan: RangeReduction): number =>
  plan.first === plan.last ? 64 - fourierWidth(0, plan.bits, plan.bits) : 64;

/** Power of two by which a binade's own value is multiplied. */
const binadeExponent = (plan: RangeReduction, binade: number): number =>
  plan.name === "log" ? 0 : binadeFactor(plan, binade).exponent;

/** factor·ln 2^(binade − scale), the summand beside the mantissa's logarithm. */
const logarithmOfBinade = (plan: RangeReduction, binade: number): number =>
  plan.factor * (binade - plan.scale) * Math.LN2;

/** A binade's own value as a function of the mantissa. */
function seriesOf(plan: RangeReduction, binade: number): Series {
  const series = mantissaSeries[plan.name];
  if (plan.name !== "log") return scaleSeries(series, binadeFactor(plan, binade).rest);
  const scaled = scaleSeries(series, plan.factor);
  return { ...scaled, constant: scaled.constant + logarithmOfBinade(plan, binade) };
}

/** factor·2^(−p·(binade − scale)) as rest·2^exponent with rest in [1, 2): exact except for one rounding of √½. */
function binadeFactor(plan: RangeReduction, binade: number): { readonly exponent: number; readonly rest: number } {
  const steps = binade - plan.scale;
  const half = plan.name === "rsqrt";
  const whole = half ? Math.floor(steps / 2) : steps;
  const value = plan.factor * (half && steps % 2 !== 0 ? Math.SQRT1_2 : 1);
  const own = floorLog2(value);
  return { exponent: own - whole, rest: value / powerOfTwo(own) };
}

/** The binades of a positive value with known bounds, for a masked value with `scale` fractional bits. */
export function planRangeReduction(
  name: RangeReducedFunction,
  lo: number,
  hi: number,
  scale: number,
  factor = 1,
  bits = mantissaBits,
): RangeReduction {
  const first = Math.max(2, floorLog2(Math.max(lo * 2 ** scale, 1)));
  const last = Math.max(first, floorLog2(Math.max(hi * 2 ** scale, 1)));
  return { name, first, last, scale, factor, bits };
}

/** Width of a masked value that holds every binade's period of 4, with slack. */
export const rangeReductionWidth = (plan: RangeReduction): number => plan.last + 3;

/** Worst error of a result, in real units, at the smallest value: fit, rounding and truncation of its binade. */
export function rangeReductionError(plan: RangeReduction): number {
  const rest = plan.name === "log" ? Math.abs(plan.factor) : binadeFactor(plan, plan.first).rest;
  return powerOfTwo(binadeExponent(plan, plan.first)) * mantissaError(plan, rest);
}

/** Worst relative error of an inverse: the mantissa function is at least 1/2, or √½. */
export const rangeReductionRelativeError = (plan: RangeReduction): number =>
  (plan.name === "rsqrt" ? Math.SQRT2 : 2) * mantissaError(plan, 1);

const mantissaError = ({ name, bits }: RangeReduction, rest: number): number =>
  fitError * rest + roundingError(scaleSeries(mantissaSeries[name], rest), bits) + 2 ** -bits;

/** The reason why the functions do not support values within these bounds. */
export function rangeReductionRefusal(
  lo: number,
  hi: number,
  scale: number,
  comparison?: Comparison,
): string | undefined {
  if (!(lo * 2 ** scale >= 4))
    return `values down to ${lo} need at least 2 bits, which ${scale} fractional bits do not hold`;
  return comparisonRefusal(floorLog2(hi * 2 ** scale) + 3, comparison);
}

/**
 * factor/v, factor/√v or factor·ln v for a positive masked value v, as shares in a ring of `width` bits with
 * `rangeReductionScale(plan)` fractional bits (ours: docs/protocols/exponent-range-reduction.md).
 *
 * In every binade 2^i ≤ v < 2^(i+1) the result is a mantissa function of v/2^i, times a public factor or plus a public
 * summand. A short trigonometric series of period 2^(i+2) gives it from the masked value without a round. Thresholds at
 * the powers of two, all on one set of digit tables, select the binade. Below the first binade and above the last one
 * their series continue: the bounds must hold.
 *
 * The selecting bits are opened after their comparison, the binades' values as early as possible: 1 round with
 * comparisons of 0 rounds (dpf), 2 with those of 1 round.
 */
export function* evaluateByRangeReduction(
  party: Party,
  v: MaskedValue,
  plan: RangeReduction,
  width: number,
  comparison?: Comparison,
): Steps<RingTensor> {
  const shape = v.opened.shape;
  const all = [...Array(plan.last - plan.first + 1).keys()].map((k) => plan.first + k);
  const inBinade = (binade: number, ring: number): RingTensor =>
    evaluateFourier(party, v, seriesOf(plan, binade), binade + 2, { width: ring, scale: plan.bits, bits: plan.bits });
  if (plan.first === plan.last) return inBinade(plan.first, width);
  const values = all.map((binade) => reshape(inBinade(binade, binadeValueWidth(plan)), [1, ...shape]));
  const shifts = all.map((binade) => binadeExponent(plan, binade) - binadeExponent(plan, plan.last));

  const [opened, bits] = yield* parallel(maskAndOpen(party, concat(values, 0)), binadeBits(party, v, plan, comparison));
  let sum: RingTensor | undefined;
  all.forEach((_, k) => {
    const pick = (t: RingTensor): RingTensor => entryAt(t, k);
    const chosen = selectMasked(party, mapMasked(bits, pick), mapMasked(opened, pick), width);
    const shifted = shiftLeft(chosen, shifts[k]!);
    sum = sum ? add(sum, shifted) : shifted;
  });
  return sum!;
}

/**
 * Open bits [binades, …shape]: 1 for the binade that holds v. In binade i, v is below 2^(i+1) and not below 2^i: the
 * exclusive or of neighbours in 0 … 0 1 … 1, where nothing is below the first bound and everything is below the last.
 */
export function* binadeBits(
  party: Party,
  v: MaskedValue,
  plan: RangeReduction,
  comparison?: Comparison,
): Steps<MaskedValue> {
  const inner = [...Array(plan.last - plan.first).keys()].map((k) => 2 ** (plan.first + 1 + k));
  const under = yield* belowThresholds(party, narrowMasked(v, rangeReductionWidth(plan)), inner, comparison);
  const bit = [1, ...v.opened.shape];
  const never = filled(under, bit, 1, 0);
  const always = publicConstant(party, under, bit, 1, 1);
  // Each bit gets a fresh uniform one-time bit: safe to open.
  return yield* maskAndOpen(party, add(concat([never, under], 0), concat([under, always], 0)));
}

const scaleSeries = (series: Series, by: number): Series => ({
  constant: series.constant * by,
  cosines: series.cosines.map((c) => c * by),
  sines: series.sines.map((c) => c * by),
});
