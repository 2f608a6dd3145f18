import type { Precision } from "../../ir/ops/define.ts";

export const defaultPrecision: Precision = { activation: 12, weight: 12, query: 8, value: 10, probability: 12 };

/** Bits of a weight in two's complement that the matrix kernels take at once: two digits of 8 bits. */
export const weightBits = 16;

/** Bits of the widest weight: two products of `weightBits` each (runtime/ring/matmul.ts). */
export const widestWeight = 32;
