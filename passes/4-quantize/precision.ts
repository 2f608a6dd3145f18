import type { Precision } from "../../ir/ops/define.ts";
import type { Interval } from "../../ir/type.ts";

export const defaultPrecision: Precision = { activation: 12, weight: 12, query: 8, value: 10, probability: 12 };

/** Bits of a weight in two's complement: the matrix kernels take two digits of 8 bits. */
export const weightBits = 16;

/**
 * Magnitudes that every private weight stays below, whatever it holds: a width or range that followed its values would
 * reveal something about them to the client. 4-quantize, at the provider, refuses a weight that does not fit. An addend
 * is in no kernel: more fractional bits of factors do not reduce the range of a bias.
 */
export const serverLimits = ({ weight }: Precision): { readonly factor: number; readonly addend: number } => ({
  factor: 2 ** (weightBits - 1 - weight),
  addend: 2 ** (weightBits - 1 - Math.min(weight, defaultPrecision.weight)),
});

/** Bounds of a private weight, wherever it is used. */
export function serverWeightRange(precision: Precision): Interval {
  const { addend } = serverLimits(precision);
  return { lo: -addend, hi: addend };
}
