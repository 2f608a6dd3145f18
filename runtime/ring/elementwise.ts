import { broadcastShapes, broadcastStrides, forEachRun } from "./broadcast.ts";
import { isWorthDeferring } from "./deferred.ts";
import { deferElements, type ElementCode } from "./deferred-elements.ts";
import { kernel, topMask } from "./kernel.ts";
import { lanesOf, type RingTensor, sameShape, sizeOf } from "./tensor.ts";

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

/** The loops of an elementwise operator for one lane and for two, and one element of it in a kernel. */
export interface ElementOperator {
  readonly narrow: ElementLoop;
  readonly wide: ElementLoop;
  readonly code: ElementCode;
}

/** Applies an operator to two operands that broadcast: `narrow` if a has one lane, `wide` if it has two. */
export function elementwise(a: RingTensor, b: RingTensor, width: number, operator: ElementOperator): RingTensor {
  const isSame = sameShape(a.shape, b.shape);
  const shape = isSame ? a.shape : broadcastShapes(a.shape, b.shape);
  if (isWorthDeferring(sizeOf(shape), [a, b])) return deferElements(shape, width, [a, b], operator.code);
  return kernel([a, b], shape, width, (out, x, y) => {
    const loop = lanesOf(a.width) === 1 ? operator.narrow : operator.wide;
    const mask = topMask(width);
    if (isSame) {
      loop(out, x, y, 0, 0, 0, sizeOf(shape), 1, 1, mask);
      return;
    }
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
