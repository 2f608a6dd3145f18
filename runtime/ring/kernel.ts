import { type IntTensor, isMeta, lanesOf, metaTensor, type RingTensor, type Shape, zeros } from "./tensor.ts";

export type KernelTensor = RingTensor | IntTensor;
type Contents<T extends readonly KernelTensor[]> = { [K in keyof T]: NonNullable<T[K]["data"]> };

/**
 * Runs `body` on the contents of the inputs and a zeroed output, or returns a meta tensor of the shape and the width if
 * an input is one. `body` must leave the bits above the width zero.
 */
export function kernel<const T extends readonly KernelTensor[]>(
  inputs: T,
  shape: Shape,
  width: number,
  body: (out: Uint32Array, ...contents: Contents<T>) => void,
): RingTensor {
  if (inputs.some(isMeta)) return metaTensor(shape, width);
  const contents = inputs.map((input) => input.data);
  const result = zeros(shape, width);
  body(result.data!, ...(contents as Contents<T>));
  return result;
}

/** Mask of the highest lane of an element: all ones for widths 32 and 64. */
export const topMask = (width: number): number => 0xffffffff >>> (-width & 31);

/** Clears the bits above the width, in place. */
export function clearHighBits(data: Uint32Array, width: number): void {
  const mask = topMask(width);
  if (mask === 0xffffffff) return;
  const lanes = lanesOf(width);
  for (let i = lanes - 1; i < data.length; i += lanes) data[i] = data[i]! & mask;
}

/** @throws RangeError with both widths if they differ. */
export function sameWidth(operation: string, a: RingTensor, b: RingTensor): number {
  if (a.width !== b.width) {
    throw new RangeError(`${operation}: the left operand has ${a.width} bits, the right one ${b.width}`);
  }
  return a.width;
}

/** @throws RangeError unless n is an integer in from…to. */
export function checkInteger(name: string, n: number, from: number, to: number): number {
  if (!Number.isInteger(n) || n < from || n > to)
    throw new RangeError(`${name} ${n} is not an integer in ${from}…${to}`);
  return n;
}
