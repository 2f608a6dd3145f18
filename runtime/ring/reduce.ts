import { denseStrides, forEachRun } from "./broadcast.ts";
import { clearHighBits, kernel } from "./kernel.ts";
import { lanesOf, type RingTensor } from "./tensor.ts";

/**
 * Sums mod 2^width over the axes (negative axes count from the end). With `keepdims` they stay with size 1.
 * @throws RangeError if an axis does not exist.
 */
export function reduceSum(a: RingTensor, axes: readonly number[], keepdims: boolean): RingTensor {
  const rank = a.shape.length;
  const reduced = new Set(axes.map((axis) => (axis < 0 ? axis + rank : axis)));
  for (const axis of reduced) {
    if (!(Number.isInteger(axis) && axis >= 0 && axis < rank)) throw new RangeError(`[${a.shape}] has no axis ${axis}`);
  }
  const kept = a.shape.map((size, axis) => (reduced.has(axis) ? 1 : size));
  const shape = keepdims ? kept : a.shape.filter((_, axis) => !reduced.has(axis));
  const strides = denseStrides(kept).map((stride, axis) => (reduced.has(axis) ? 0 : stride));
  return kernel([a], shape, a.width, (out, x) => {
    const sum = lanesOf(a.width) === 1 ? sumNarrow : sumWide;
    forEachRun(a.shape, strides, strides, (at, i, _, count, step) => sum(out, x, at, i, count, step));
    clearHighBits(out, a.width);
  });
}

function sumNarrow(out: Uint32Array, x: Uint32Array, at: number, to: number, count: number, step: number): void {
  for (let k = 0; k < count; k++, to += step) out[to] = out[to]! + x[at + k]!;
}

function sumWide(out: Uint32Array, x: Uint32Array, at: number, to: number, count: number, step: number): void {
  for (let k = 0; k < count; k++, to += step) {
    const a = out[2 * to]! | 0;
    const b = x[2 * (at + k)]! | 0;
    const low = (a + b) | 0;
    out[2 * to] = low;
    out[2 * to + 1] = out[2 * to + 1]! + x[2 * (at + k) + 1]! + (((a & b) | ((a | b) & ~low)) >>> 31);
  }
}
