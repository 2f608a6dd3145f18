import type { Party, Share, Wire } from "../../core/index.ts";
import { parallel, type Steps } from "../../core/index.ts";
import type { RingTensor, Series } from "../../ring/index.ts";
import { add, addConstant, floorLog2, mulConstant } from "../../ring/index.ts";
import { openWire } from "../boundary/index.ts";
import { below, comparisonOf, comparisonVariants, tooWide } from "../comparison/index.ts";
import {
  at,
  bitToRing,
  coarse,
  defineProtocol,
  type Fixed,
  lift,
  mapWire,
  narrowed,
  type Protocol,
  publicShare,
  rescale,
  rescaledFrom,
  type Spec,
  select,
  stack,
  wireWidth,
} from "../kit/index.ts";
import { fourier, fourierRing, roundingError } from "./fourier.ts";

/**
 * A function that is a short trigonometric series (plus half its argument, where `halfLinear`) inside ±bound, and
 * outside it a constant or its argument. The series is fitted on ±(bound + 1/8): thresholds are taken on a coarse wire.
 */
export interface Saturated {
  readonly series: Series;
  /** Base-2 logarithm of the series' period, in real units. */
  readonly logPeriod: number;
  readonly bound: number;
  readonly halfLinear: boolean;
  /** The function below −bound. */
  readonly under: 0 | -1;
  /** The function above bound. */
  readonly over: "argument" | 1;
  /** Worst error of the fit and of the saturation, in real units; the test evaluates it. */
  readonly fitError: number;
}

/** Fractional bits of the wire on which thresholds are taken. */
const thresholdBits = 3;

/**
 * A saturated function of an open wire: the series costs no traffic; its value is opened, and beside it the bits that
 * two thresholds give: 2 rounds with digit tables, 1 with point functions. Where the public range lies inside the bound,
 * nothing is sent at all (protocols.md 1.9).
 */
function* saturated(party: Party, spec: Spec, f: Saturated, x: Wire): Steps<Share> {
  const operand = spec.operands[0]!;
  const { width, scale } = spec.result;
  const inside = isInside(f, operand);
  const inner = innerValue(party, f, x, operand.scale, { width: inside ? width : innerWidth(f, scale), scale });
  if (inside) return { kind: "share", tensor: inner };

  const [innerWire, bits] = yield* parallel(openWire(party, inner), whereabouts(party, spec, f, x));
  const bit = (k: number): Wire => mapWire(bits, (t) => at(t, k));

  let result = select(party, bit(0), innerWire, width);
  if (f.over === "argument") {
    const by = operand.scale - scale;
    result = add(result, rescale(select(party, bit(1), x, rescaledFrom(width, by)), by));
  } else {
    result = add(result, mulConstant(bitToRing(party, bit(1), width), 2 ** scale));
  }
  if (f.under !== 0) result = add(result, mulConstant(bitToRing(party, bit(2), width), -(2 ** scale)));
  return { kind: "share", tensor: result };
}

/** Open bits [2 or 3, …shape] of where each element lies: within the bounds, above them and, if it matters, below. */
function* whereabouts(party: Party, spec: Spec, f: Saturated, x: Wire): Steps<Wire> {
  const operand = spec.operands[0]!;
  const bound = f.bound * 2 ** thresholdBits;
  const wire = coarse(narrowed(x, activationWire(f, operand)), operand.scale - thresholdBits);
  const outer = yield* below(party, wire, [-bound, bound], comparisonOf(spec));
  const under = at(outer, 0);
  const notOver = at(outer, 1);
  const over = add(notOver, publicShare(party, ones(notOver)));
  // Each bit gets a fresh uniform one-time bit: safe to open.
  return yield* openWire(party, stack([add(under, notOver), over, ...(f.under === 0 ? [] : [under])]));
}

/** The series, plus half the argument where the function has that form: 0 rounds. */
function innerValue(
  party: Party,
  f: Saturated,
  x: Wire,
  fraction: number,
  result: { readonly width: number; readonly scale: number },
): RingTensor {
  const series = fourier(party, x, f.series, f.logPeriod + fraction, result);
  if (!f.halfLinear) return series;
  const by = fraction + 1 - result.scale;
  return add(series, rescale(lift(party, x, rescaledFrom(result.width, by)), by));
}

/** The wire must hold a whole period, and the bound itself with slack. */
const activationWire = (f: Saturated, x: Fixed): number =>
  Math.max(wireWidth(x), f.logPeriod + x.scale, floorLog2(f.bound) + 3 + x.scale);

/**
 * Fit and rounding of the series, its truncation, the half argument's, and that of the argument above the bound: shares
 * of a zero that was not selected may come out of it as one unit.
 */
const activationUlps = (f: Saturated, { operands: [x], result }: Spec): number => {
  const half = f.halfLinear && x!.scale + 1 > result.scale ? 1 : 0;
  const over = f.over === "argument" && x!.scale > result.scale ? 1 : 0;
  return 1 + half + over + (f.fitError + roundingError(f.series)) * 2 ** result.scale;
};

/** Bits of the coarse wire on which thresholds are taken. */
const thresholdWire = (f: Saturated, x: Fixed): number => activationWire(f, x) - x.scale + thresholdBits;

function refusal(f: Saturated, spec: Spec): string | undefined {
  const {
    operands: [x],
    result,
  } = spec;
  if (f.logPeriod + x!.scale > 32) return `a period of ${f.logPeriod + x!.scale} bits is wider than 32`;
  if (x!.scale < thresholdBits)
    return `thresholds are taken on ${thresholdBits} fractional bits, the operand has ${x!.scale}`;
  const inside = isInside(f, x!);
  const ring = fourierRing(inside ? result.width : innerWidth(f, result.scale), result.scale);
  if (ring > 64 || result.scale > 28) return `the series would need a ring of ${ring} bits, at most 64 exist`;
  return inside ? undefined : tooWide(thresholdWire(f, x!), comparisonOf(spec));
}

/** Only above the bound is the result selected from more than the series, which then has a ring of its own. */
const widestResult = (f: Saturated, { operands: [x], result }: Spec): number =>
  isInside(f, x!) ? 64 - fourierRing(0, result.scale) : 64;

const isInside = (f: Saturated, x: Fixed): boolean => -f.bound <= x.lo && x.hi <= f.bound;
/** Where it is selected the inner value is below the power of two above the bound: sign and slack beside. */
const innerWidth = (f: Saturated, scale: number): number => scale + floorLog2(f.bound) + 3;
const ones = (bits: RingTensor): RingTensor => addConstant(mulConstant(bits, 0), 1);

/** The protocol of one saturated function: forms, widths and error bound follow from its table. */
export function saturatedProtocol(operator: string, f: Saturated): Protocol {
  return defineProtocol({
    name: `fourier.${operator}`,
    implements: operator,
    settings: ["2pc-dealer", "3pc"],
    security: "semi-honest",
    paper: "ours: docs/protocols/fourier.md; series on P > 2T after SHAFT (NDSS 2025) and SecFormer (ACL 2024)",
    accuracy: { ulps: (spec) => activationUlps(f, spec) },
    forms: ["wire"],
    yields: "share",
    operandWidths: ({ operands: [x] }) => [activationWire(f, x!)],
    widest: (spec) => widestResult(f, spec),
    refuses: (spec) => refusal(f, spec),
    variants: ({ operands: [x] }) => (isInside(f, x!) ? [] : comparisonVariants(thresholdWire(f, x!))),
    *run(party, spec, x) {
      return yield* saturated(party, spec, f, x as Wire);
    },
  });
}
