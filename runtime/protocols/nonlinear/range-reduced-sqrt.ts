import { type MaskedValue, type Party, parallel, type Share, type Steps } from "../../core/index.ts";
import { add, concat, powerOfTwo, type RingTensor, reshape, type Series, shiftLeft } from "../../ring/index.ts";
import { maskAndOpen } from "../boundary/index.ts";
import { comparisonOf, comparisonRefusal, comparisonVariants } from "../comparison/index.ts";
import {
  defineProtocol,
  entryAt,
  mapMasked,
  maskedWidth,
  rescale,
  type Spec,
  selectMasked,
  widthBeforeRescale,
} from "../kit/index.ts";
import {
  binadeBits,
  planRangeReduction,
  type RangeReduction,
  rangeReductionWidth,
} from "./exponent-range-reduction.ts";
import { evaluateFourier, fourierWidth, roundingError } from "./fourier-series.ts";

/**
 * √m for m in [1, 2), period 4: least squares with equal ripple there, and a weight of 1e-8 on [−1/2, 1), so that the
 * series stays near the root of what lies below the first binade. Errors 4.1e-6 and 0.133; the test evaluates them.
 */
export const sqrtSeries = {
  constant: 0.901708688,
  cosines: [-0.665179523, -0.137702053, 0.024223025, 0.00924636],
  sines: [0.019029034, 0.216522476, 0.067690204, 0.003452023],
} as const satisfies Series;
const fitError = 4.2e-6;
/** Worst distance of the series from √m on [−1/2, 1): rounding may leave 0 below 0 by two units of four. */
const fitErrorBelow = 0.134;

/** Fractional bits of each binade's own value, and its ring: the value, a sign, and slack. */
const mantissaBits = 14;
const mantissaWidth = mantissaBits + 4;

const planOf = ({ operands: [x] }: Spec): RangeReduction =>
  planRangeReduction("rsqrt", Math.max(0, x!.lo), x!.hi, x!.scale);

/** √(2^(binade − scale)) as rest · 2^exponent with rest 1 or √2. */
function binadeRoot({ scale }: RangeReduction, binade: number): { readonly exponent: number; readonly rest: number } {
  const steps = binade - scale;
  return { exponent: Math.floor(steps / 2), rest: steps % 2 === 0 ? 1 : Math.SQRT2 };
}

const scaleSeries = ({ constant, cosines, sines }: Series, by: number): Series => ({
  constant: constant * by,
  cosines: cosines.map((c) => c * by),
  sines: sines.map((c) => c * by),
});

const seriesOf = (plan: RangeReduction, binade: number): Series =>
  scaleSeries(sqrtSeries, binadeRoot(plan, binade).rest);

/** Fractional bits of the root: the least binade keeps all its bits. */
const rootScale = (plan: RangeReduction): number => mantissaBits - binadeRoot(plan, plan.first).exponent;

/** Worst error in real units: of the largest binade's roots, or of what lies below the first binade. */
function worstError(plan: RangeReduction, lo: number): number {
  const unit = (binade: number): number => powerOfTwo(binadeRoot(plan, binade).exponent);
  const { rest } = binadeRoot(plan, plan.last);
  const above = fitError * rest + roundingError(scaleSeries(sqrtSeries, rest)) + 2 ** -mantissaBits;
  const first = binadeRoot(plan, plan.first).rest;
  const isBelow = lo * 2 ** plan.scale < 2 ** plan.first;
  const below = fitErrorBelow * first + roundingError(scaleSeries(sqrtSeries, first)) + 2 ** -mantissaBits;
  return Math.max(above * unit(plan.last), isBelow ? below * unit(plan.first) : 0);
}

/** √v at `rootScale`, in a ring of `width` bits: the value of v's binade, as in `evaluateByRangeReduction`. */
function* evaluateRoot(party: Party, v: MaskedValue, spec: Spec, width: number): Steps<RingTensor> {
  const plan = planOf(spec);
  const inBinade = (binade: number, ring: number): RingTensor =>
    evaluateFourier(party, v, seriesOf(plan, binade), binade + 2, { width: ring, scale: mantissaBits });
  if (plan.first === plan.last) return inBinade(plan.first, width);
  const { shape } = v.opened;
  const all = [...Array(plan.last - plan.first + 1).keys()].map((k) => plan.first + k);
  const values = all.map((binade) => reshape(inBinade(binade, mantissaWidth), [1, ...shape]));
  // Values outside their own binade are discarded; each gets a fresh uniform mask: safe to open.
  const [opened, bits] = yield* parallel(
    maskAndOpen(party, concat(values, 0)),
    binadeBits(party, v, plan, comparisonOf(spec)),
  );
  const least = binadeRoot(plan, plan.first).exponent;
  return all
    .map((binade, k) => {
      const [bit, value] = [bits, opened].map((each) => mapMasked(each, (t) => entryAt(t, k))) as [
        MaskedValue,
        MaskedValue,
      ];
      return shiftLeft(selectMasked(party, bit, value, width), binadeRoot(plan, binade).exponent - least);
    })
    .reduce(add);
}

/**
 * √v of a masked value with public bounds 0 ≤ v ≤ hi (docs/protocols/exponent-range-reduction.md). Near 0 the error is
 * that of the first binade's series: 0.14 · √(4 units) of the operand. 2 rounds; 1 with point functions.
 */
export const rangeReducedSqrt = defineProtocol({
  name: "range-reduced.sqrt",
  implements: "sqrt",
  settings: ["2pc-dealer", "3pc"],
  security: "semi-honest",
  paper: "ours: docs/protocols/exponent-range-reduction.md",
  accuracy: { ulps: (spec) => 1 + worstError(planOf(spec), spec.operands[0]!.lo) * 2 ** spec.result.scale },
  forms: ["masked"],
  yields: "share",
  operandWidths: (spec) => [Math.max(maskedWidth(spec.operands[0]!), rangeReductionWidth(planOf(spec)))],
  maxResultWidth: (spec) => {
    const plan = planOf(spec);
    // With one binade the result is the series' own, whose sum has the bits of both harmonics beside it.
    const widest = plan.first === plan.last ? 64 - fourierWidth(0, mantissaBits) : 64;
    return widest - Math.max(0, rootScale(plan) - spec.result.scale);
  },
  refuses: (spec) => {
    const { lo } = spec.operands[0]!;
    if (lo < 0) return `its operand may be ${lo}, but it must not be negative`;
    return comparisonRefusal(rangeReductionWidth(planOf(spec)), comparisonOf(spec));
  },
  variants: (spec) => comparisonVariants(rangeReductionWidth(planOf(spec))),
  *run(party, spec, x) {
    const by = rootScale(planOf(spec)) - spec.result.scale;
    const value = yield* evaluateRoot(party, x as MaskedValue, spec, widthBeforeRescale(spec.result.width, by));
    return { kind: "share", tensor: rescale(value, by) } satisfies Share;
  },
});
