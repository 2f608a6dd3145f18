import type { Precision } from "../../ir/ops/define.ts";
import type { Interval } from "../../ir/type.ts";

export const defaultPrecision: Precision = { activation: 12, weight: 12, query: 8, value: 10, probability: 12 };

/** Bits of a weight in two's complement: the matrix kernels take two digits of eight. */
export const weightBits = 16;

/**
 * Bounds of every weight of the server's, whatever it holds: a width or range that followed its values would tell
 * the client about them. 4-quantize refuses, at the provider, a weight that does not fit.
 */
export function serverWeightRange({ weight }: Precision): Interval {
  const most = 2 ** (weightBits - 1 - weight);
  return { lo: -most, hi: most };
}
