import type { Precision } from "../../ir/ops/define.ts";
import type { Interval } from "../../ir/type.ts";

export const defaultPrecision: Precision = { activation: 12, weight: 12, query: 8, value: 10, probability: 12 };

/** Bits of a weight in two's complement: the matrix kernels take two digits of eight. */
export const weightBits = 16;

/**
 * What every weight of the server's is less than, whatever it holds: a width or range that followed its values would
 * tell the client about them. 4-quantize refuses, at the provider, a weight that does not fit. What is only added is in
 * no kernel: more fractional bits of the factors do not take its range from a bias.
 */
export const serverLimits = ({ weight }: Precision): { readonly factor: number; readonly addend: number } => ({
  factor: 2 ** (weightBits - 1 - weight),
  addend: 2 ** (weightBits - 1 - Math.min(weight, defaultPrecision.weight)),
});

/** Bounds of a weight of the server's wherever it is used. */
export function serverWeightRange(precision: Precision): Interval {
  const { addend } = serverLimits(precision);
  return { lo: -addend, hi: addend };
}
