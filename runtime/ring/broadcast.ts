import type { Shape } from "./tensor.ts";

/** Strides of a dense row-major tensor, in elements. */
export function denseStrides(shape: Shape): number[] {
  const strides = new Array<number>(shape.length);
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = stride;
    stride *= shape[axis]!;
  }
  return strides;
}

/**
 * The shape that both shapes broadcast to, as in numpy.
 * @throws RangeError if an axis has two sizes and neither is 1.
 */
export function broadcastShapes(a: Shape, b: Shape): Shape {
  const rank = Math.max(a.length, b.length);
  const shape = new Array<number>(rank);
  for (let axis = 0; axis < rank; axis++) {
    const x = a[axis - rank + a.length] ?? 1;
    const y = b[axis - rank + b.length] ?? 1;
    if (x !== y && x !== 1 && y !== 1) throw new RangeError(`shapes [${a}] and [${b}] do not broadcast`);
    shape[axis] = x === 1 ? y : x;
  }
  return shape;
}

/** Strides that read a dense tensor of shape `from` in the shape `to`: 0 along the repeated axes. */
export function broadcastStrides(from: Shape, to: Shape): number[] {
  const added = to.length - from.length;
  const strides = new Array<number>(to.length).fill(0);
  let stride = 1;
  for (let axis = from.length - 1; axis >= 0; axis--) {
    if (from[axis] !== 1) strides[axis + added] = stride;
    stride *= from[axis]!;
  }
  return strides;
}

/** One run of elements: dense from `at`, and in two strided operands from `i` by `stepI` and from `j` by `stepJ`. */
export type Run = (at: number, i: number, j: number, count: number, stepI: number, stepJ: number) => void;

/**
 * Walks a dense shape beside two strided operands, in the fewest and longest runs that the strides allow: equal shapes
 * and scalars are one run, a broadcast along the last or the first axes is one run per row.
 */
export function forEachRun(shape: Shape, stridesI: readonly number[], stridesJ: readonly number[], visit: Run): void {
  if (shape.includes(0)) return;
  const axes = mergedAxes(shape, stridesI, stridesJ);
  const inner = axes.pop() ?? { size: 1, i: 0, j: 0 };
  const counters = axes.map(() => 0);
  let i = 0;
  let j = 0;
  for (let at = 0; ; at += inner.size) {
    visit(at, i, j, inner.size, inner.i, inner.j);
    let axis = axes.length - 1;
    for (; axis >= 0; axis--) {
      const { size, i: strideI, j: strideJ } = axes[axis]!;
      i += strideI;
      j += strideJ;
      if (++counters[axis]! < size) break;
      counters[axis] = 0;
      i -= strideI * size;
      j -= strideJ * size;
    }
    if (axis < 0) return;
  }
}

/** An axis of a strided tensor: its size and its step in elements. */
export interface Axis {
  readonly size: number;
  readonly step: number;
}

/** The fewest axes, from the outer to the inner, that read a dense tensor of shape `from` in the shape `to`. */
export function broadcastAxes(from: Shape, to: Shape): readonly Axis[] {
  const strides = broadcastStrides(from, to);
  return mergedAxes(to, strides, strides).map(({ size, i }) => ({ size, step: i }));
}

function mergedAxes(shape: Shape, stridesI: readonly number[], stridesJ: readonly number[]) {
  const axes: { size: number; i: number; j: number }[] = [];
  for (let axis = 0; axis < shape.length; axis++) {
    const size = shape[axis]!;
    if (size === 1) continue;
    const i = stridesI[axis]!;
    const j = stridesJ[axis]!;
    const outer = axes[axes.length - 1];
    if (outer && outer.i === i * size && outer.j === j * size) {
      axes[axes.length - 1] = { size: outer.size * size, i, j };
    } else {
      axes.push({ size, i, j });
    }
  }
  return axes;
}
