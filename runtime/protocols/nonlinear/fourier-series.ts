import type { MaskedValue, Party } from "../../core/index.ts";
import {
  add,
  addConstant,
  extractBits,
  harmonicsOf,
  maskHarmonics,
  mul,
  mulConstant,
  narrow,
  openedHarmonics,
  type RingTensor,
  reduceSum,
  type Series,
  shiftRightRounded,
} from "../../ring/index.ts";
import { publicShare } from "../kit/index.ts";

/** Fractional bits of the dealer's harmonics, and of the public factors, unless more are wanted. */
const harmonicBits = 14;
/** More would not fit a ring beside the sum. */
const mostHarmonicBits = 20;
/** Fractional bits beyond those of the result: the roundings of all harmonics together stay near its unit. */
const guardBits = 2;

/** Fractional bits of harmonics for a result with this scale. */
export const harmonicBitsFor = (scale: number): number =>
  Math.min(mostHarmonicBits, Math.max(harmonicBits, scale + guardBits));

/** Angles use a lane of 32 bits. The bits below turn each of the two angles by less than 2^−32 of the period. */
const angleBits = 32;

/** Ring of the sum, such that the truncation leaves `width` bits with `scale` fractional bits. */
export const fourierWidth = (width: number, scale: number, bits = harmonicBits): number => width + 2 * bits - scale;

/**
 * Worst error that the rounding of harmonics and factors adds to the series, in real units: each of the two vectors
 * (cos, sin) is off by at most √2·2^−(bits + 1), and is multiplied by a vector of length |c_k| or 1.
 */
export const roundingError = ({ cosines, sines }: Series, bits = harmonicBits): number => {
  const count = Math.max(cosines.length, sines.length);
  const amplitudes = [...Array(count).keys()].map((k) => 1 + Math.hypot(cosines[k] ?? 0, sines[k] ?? 0));
  return Math.SQRT2 * 2 ** -(bits + 1) * amplitudes.reduce((sum, amplitude) => sum + amplitude, 0);
};

/**
 * f(x) for a masked value, as shares in a ring of `width` bits with `scale` fractional bits: 0 rounds, no traffic
 * between the parties (L-FOURIER, ours: docs/protocols/fourier.md). f is a trigonometric series of period 2^periodBits
 * raw units. Only that many low bits of the masked value are used, on which the mask is uniform, so the mask hides the
 * whole period. Error: the fit of the series, plus `roundingError`, plus one ulp of the truncation. Dealer: 2K·(width +
 * 2·bits − scale) bits per element.
 */
export function evaluateFourier(
  party: Party,
  x: MaskedValue,
  series: Series,
  periodBits: number,
  result: { readonly width: number; readonly scale: number; readonly bits?: number },
): RingTensor {
  const { bits = harmonicBits } = result;
  const width = fourierWidth(result.width, result.scale, bits);
  const angle = (t: RingTensor): RingTensor => {
    const beyond = Math.max(0, periodBits - angleBits);
    return extractBits(narrow(t, periodBits), beyond, periodBits - beyond);
  };
  const harmonics = party.dealt(maskHarmonics(angle(x.mask.secret), harmonicsOf(series), bits, width));
  const factors = openedHarmonics(angle(x.opened), series, bits, width);
  const sum = reduceSum(mul(factors, harmonics), [0], false);
  const constant = Math.round(series.constant * 2 ** (2 * bits));
  const offset = publicShare(party, addConstant(mulConstant(sum, 0), constant));
  return shiftRightRounded(add(sum, offset), 2 * bits - result.scale);
}
