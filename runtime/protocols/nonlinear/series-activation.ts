import { type MaskedValue, type Party, parallel, type Share, type Steps } from "../../core/index.ts";
import { add, addConstant, floorLog2, mulConstant, type RingTensor, type Series } from "../../ring/index.ts";
import { maskAndOpen } from "../boundary/index.ts";
import { belowThresholds, comparisonOf, comparisonRefusal, comparisonVariants } from "../comparison/index.ts";
import {
  bitToRing,
  defineProtocol,
  dropLowBits,
  entryAt,
  type Fixed,
  liftToRing,
  mapMasked,
  maskedWidth,
  narrowMasked,
  type Protocol,
  publicShare,
  rescale,
  type Spec,
  selectMasked,
  stack,
  widthBeforeRescale,
} from "../kit/index.ts";
import { evaluateFourier, fourierWidth, harmonicBitsFor, roundingError } from "./fourier-series.ts";

/**
 * A function that is a short trigonometric series (plus half its argument, if `halfLinear`) inside ±bound, and a
 * constant or its argument outside. The series is fitted on ±(bound + 1/8): thresholds are compared on a coarse masked
 * value.
 */
export interface SeriesActivation {
  readonly series: Series;
  /** Base-2 logarithm of the series' period, in real units. */
  readonly logPeriod: number;
  readonly bound: number;
  readonly halfLinear: boolean;
  /** The function below −bound. */
  readonly valueBelow: 0 | -1;
  /** The function above bound. */
  readonly valueAbove: "argument" | 1;
  /** Worst error of the fit and of the saturation, in real units; the test evaluates it. */
  readonly fitError: number;
}

/** Fractional bits of the masked value that is compared with the thresholds. */
const thresholdBits = 3;

/**
 * A saturated function of a masked value. The series costs no traffic; its value is opened together with the bits of
 * two thresholds: 2 rounds with digit tables, 1 with point functions. If the public range lies inside the bound,
 * nothing is sent (protocols.md 1.9).
 */
function* evaluateSeries(party: Party, spec: Spec, f: SeriesActivation, x: MaskedValue): Steps<Share> {
  const operand = spec.operands[0]!;
  const { width, scale } = spec.result;
  const inside = isInside(f, operand);
  const inner = valueInside(party, f, x, operand.scale, { width: inside ? width : innerWidth(f, scale), scale });
  if (inside) return { kind: "share", tensor: inner };

  const [maskedInner, bits] = yield* parallel(maskAndOpen(party, inner), segmentBits(party, spec, f, x));
  const bit = (k: number): MaskedValue => mapMasked(bits, (t) => entryAt(t, k));

  let result = selectMasked(party, bit(0), maskedInner, width);
  if (f.valueAbove === "argument") {
    const by = operand.scale - scale;
    result = add(result, rescale(selectMasked(party, bit(1), x, widthBeforeRescale(width, by)), by));
  } else {
    result = add(result, mulConstant(bitToRing(party, bit(1), width), 2 ** scale));
  }
  if (f.valueBelow !== 0) result = add(result, mulConstant(bitToRing(party, bit(2), width), -(2 ** scale)));
  return { kind: "share", tensor: result };
}

/**
 * Open bits [2 or 3, …shape] of the segment of each element: within the bounds, above them and, if it matters, below.
 */
function* segmentBits(party: Party, spec: Spec, f: SeriesActivation, x: MaskedValue): Steps<MaskedValue> {
  const operand = spec.operands[0]!;
  const bound = f.bound * 2 ** thresholdBits;
  const coarseValue = dropLowBits(narrowMasked(x, activationWidth(f, operand)), operand.scale - thresholdBits);
  const outer = yield* belowThresholds(party, coarseValue, [-bound, bound], comparisonOf(spec));
  const under = entryAt(outer, 0);
  const notOver = entryAt(outer, 1);
  const over = add(notOver, publicShare(party, ones(notOver)));
  // Each bit gets a fresh uniform one-time bit: safe to open.
  return yield* maskAndOpen(party, stack([add(under, notOver), over, ...(f.valueBelow === 0 ? [] : [under])]));
}

/** The series, plus half the argument if the function has that form: 0 rounds. */
function valueInside(
  party: Party,
  f: SeriesActivation,
  x: MaskedValue,
  fraction: number,
  result: { readonly width: number; readonly scale: number },
): RingTensor {
  const bits = harmonicBitsFor(result.scale);
  const series = evaluateFourier(party, x, f.series, f.logPeriod + fraction, { ...result, bits });
  if (!f.halfLinear) return series;
  const by = fraction + 1 - result.scale;
  return add(series, rescale(liftToRing(party, x, widthBeforeRescale(result.width, by)), by));
}

/** The masked value must hold a whole period, and the bound itself with slack. */
const activationWidth = (f: SeriesActivation, x: Fixed): number =>
  Math.max(maskedWidth(x), f.logPeriod + x.scale, floorLog2(f.bound) + 3 + x.scale);

/**
 * Fit and rounding of the series, its truncation, that of the half argument, and that of the argument above the bound:
 * shares of an unselected zero may be one unit off after it.
 */
const activationErrorUlps = (f: SeriesActivation, { operands: [x], result }: Spec): number => {
  const half = f.halfLinear && x!.scale + 1 > result.scale ? 1 : 0;
  const over = f.valueAbove === "argument" && x!.scale > result.scale ? 1 : 0;
  return 1 + half + over + (f.fitError + roundingError(f.series, harmonicBitsFor(result.scale))) * 2 ** result.scale;
};

/** Bits of the coarse masked value that is compared with the thresholds. */
const thresholdWidth = (f: SeriesActivation, x: Fixed): number => activationWidth(f, x) - x.scale + thresholdBits;

function refusal(f: SeriesActivation, spec: Spec): string | undefined {
  const {
    operands: [x],
    result,
  } = spec;
  if (f.logPeriod + x!.scale > 32) return `its period has ${f.logPeriod + x!.scale} bits, at most 32 are supported`;
  if (x!.scale < thresholdBits)
    return `thresholds need ${thresholdBits} fractional bits, but the operand has ${x!.scale}`;
  const inside = isInside(f, x!);
  const ring = seriesWidth(inside ? result.width : innerWidth(f, result.scale), result.scale);
  if (ring > 64 || result.scale > 28) return `the series needs a ring of ${ring} bits, at most 64 are supported`;
  return inside ? undefined : comparisonRefusal(thresholdWidth(f, x!), comparisonOf(spec));
}

/** Only above the bound the result is selected from more than the series, which then has a separate ring. */
const widestResult = (f: SeriesActivation, { operands: [x], result }: Spec): number =>
  isInside(f, x!) ? 64 - seriesWidth(0, result.scale) : 64;

const seriesWidth = (width: number, scale: number): number => fourierWidth(width, scale, harmonicBitsFor(scale));

const isInside = (f: SeriesActivation, x: Fixed): boolean => -f.bound <= x.lo && x.hi <= f.bound;
/** If it is selected, the inner value is below the power of two above the bound, plus sign and slack. */
const innerWidth = (f: SeriesActivation, scale: number): number => scale + floorLog2(f.bound) + 3;
const ones = (bits: RingTensor): RingTensor => addConstant(mulConstant(bits, 0), 1);

/** The protocol of one saturated function: its table determines forms, widths and error bound. */
export function seriesActivationProtocol(operator: string, f: SeriesActivation): Protocol {
  return defineProtocol({
    name: `fourier.${operator}`,
    implements: operator,
    settings: ["2pc-dealer", "3pc"],
    security: "semi-honest",
    paper: "ours: docs/protocols/fourier.md; series on P > 2T after SHAFT (NDSS 2025) and SecFormer (ACL 2024)",
    accuracy: { ulps: (spec) => activationErrorUlps(f, spec) },
    forms: ["masked"],
    yields: "share",
    operandWidths: ({ operands: [x] }) => [activationWidth(f, x!)],
    maxResultWidth: (spec) => widestResult(f, spec),
    refuses: (spec) => refusal(f, spec),
    variants: ({ operands: [x] }) => (isInside(f, x!) ? [] : comparisonVariants(thresholdWidth(f, x!))),
    *run(party, spec, x) {
      return yield* evaluateSeries(party, spec, f, x as MaskedValue);
    },
  });
}
