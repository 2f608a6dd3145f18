import { broadcastShapes, broadcastStrides, forEachRun } from "./broadcast.ts";
import { kernel, topMask } from "./kernel.ts";
import { lanesOf, type RingTensor } from "./tensor.ts";

/** One run of an elementwise kernel; positions and steps in elements, `mask` is for the result's highest lane. */
export type ElementLoop = (
  out: Uint32Array,
  x: Uint32Array,
  y: Uint32Array,
  at: number,
  i: number,
  j: number,
  count: number,
  stepI: number,
  stepJ: number,
  mask: number,
) => void;

/** Applies a loop to two operands that broadcast: `narrow` if x has one lane, `wide` if it has two. */
export function elementwise(
  a: RingTensor,
  b: RingTensor,
  width: number,
  narrow: ElementLoop,
  wide: ElementLoop,
): RingTensor {
  const shape = broadcastShapes(a.shape, b.shape);
  return kernel([a, b], shape, width, (out, x, y) => {
    const loop = lanesOf(a.width) === 1 ? narrow : wide;
    const mask = topMask(width);
    forEachRun(
      shape,
      broadcastStrides(a.shape, shape),
      broadcastStrides(b.shape, shape),
      (at, i, j, count, stepI, stepJ) => {
        loop(out, x, y, at, i, j, count, stepI, stepJ, mask);
      },
    );
  });
}
