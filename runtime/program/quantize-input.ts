import type { Fixed } from "../protocols/kit/index.ts";
import { type IntTensor, intTensor } from "../ring/index.ts";

/** Values that a party's own tensor has beyond the public bounds of an input. */
export interface Excess {
  readonly count: number;
  /** The value farthest beyond; one that is not finite, if there is any. */
  readonly worst: number;
}

export interface QuantizedInput {
  /** round(x·2^scale), with what is beyond the bounds moved onto them. */
  readonly integers: IntTensor;
  readonly excess?: Excess;
}

/**
 * The client computes its part in single precision, so a value that the compiler bounded by a proof may exceed the
 * bound by the rounding of some operators: it counts as the bound.
 */
const ownPrecision = 2 ** -20;

/** Integers within the bounds: those that ring widths were planned for, and that a share may hold. */
function integerBounds({ lo, hi, scale }: Fixed): { readonly least: number; readonly most: number } {
  const [least, most] = [Math.ceil(lo * 2 ** scale), Math.floor(hi * 2 ** scale)];
  // Bounds closer than a unit in the last place may have no integer between them.
  return least <= most ? { least, most } : { least: Math.round(lo * 2 ** scale), most: Math.round(hi * 2 ** scale) };
}

/**
 * A party's own plain numbers as the integers that it shares. Nothing has been sent yet, so it may look at them. What
 * exceeds the public bounds would wrap somewhere behind the share, and the answer would be noise: the caller refuses a
 * tensor with excess, or says how much of it was moved.
 */
export function quantizeInput(values: Float64Array, declared: Fixed): QuantizedInput {
  const { shape, scale, lo, hi } = declared;
  const { least, most } = integerBounds(declared);
  const tolerance = Math.max(2 ** (-scale - 1), ownPrecision * Math.max(Math.abs(lo), Math.abs(hi)));
  let [count, worst, distance] = [0, 0, 0];
  const data = values.map((x) => {
    // NaN is beyond any bound, and as far as infinity.
    const beyond = Number.isFinite(x) ? Math.max(lo - x, x - hi) : Infinity;
    if (beyond > tolerance) count += 1;
    if (beyond > tolerance && beyond > distance) [worst, distance] = [x, beyond];
    return Math.min(Math.max(Math.round(x * 2 ** scale), least), most) + 0;
  });
  const integers = intTensor(shape, data);
  return count > 0 ? { integers, excess: { count, worst } } : { integers };
}

/** Number of a party's own integers that are beyond the bounds, or not integers. */
export function outsideBounds({ data }: IntTensor, declared: Fixed): number {
  const { least, most } = integerBounds(declared);
  return data!.reduce((count, x) => count + Number(!(Number.isInteger(x) && x >= least && x <= most)), 0);
}
