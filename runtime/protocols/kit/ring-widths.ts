import { floorLog2 } from "../../ring/index.ts";
import type { Fixed, Spec } from "./define-protocol.ts";

/** Bits of a two's complement integer that holds all values within the bounds at this scale. */
export function signedBits(lo: number, hi: number, scale: number): number {
  const magnitude = Math.max(Math.abs(lo), Math.abs(hi), 2 ** -scale) * 2 ** scale;
  return floorLog2(magnitude) + 2;
}

/** Ring width of a masked value: the value's bits and one bit of slack (|x| < 2^(n−2), protocols.md 0). */
export const maskedWidth = (x: Fixed): number => signedBits(x.lo, x.hi, x.scale) + 1;

/** Largest absolute value within the bounds. */
export const maxMagnitude = ({ lo, hi }: Fixed): number => Math.max(Math.abs(lo), Math.abs(hi));

/** Excess fractional bits of a product of two operands, or of the square of one, over its result. */
export const productDrop = ({ operands: [x, y = x], result }: Spec): number => x!.scale + y!.scale - result.scale;
