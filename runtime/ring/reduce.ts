import { denseStrides, forEachRun } from "./broadcast.ts";
import { defer, isWorthDeferring } from "./deferred.ts";
import { clearHighBits, kernel } from "./kernel.ts";
import { lanesOf, type RingTensor, sizeOf } from "./tensor.ts";

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
  const leading = leadingRows(a, reduced);
  if (leading > 0 && isWorthDeferring(sizeOf(shape), [a])) {
    const stride = sizeOf(shape);
    return defer(shape, a.width, {
      ...{ operands: [{ tensor: a, pattern: "each" }], rowLength: stride, reads: leading },
      emit: (code, read) => {
        let sum = code.loose(read(0, 0), a.width);
        for (let row = 1; row < leading; row++) sum = code.add(sum, code.loose(read(0, row * stride), a.width));
        return code.mask(sum, a.width);
      },
    });
  }
  return kernel([a], shape, a.width, (out, x) => {
    const sum = lanesOf(a.width) === 1 ? sumNarrow : sumWide;
    forEachRun(a.shape, strides, strides, (at, i, _, count, step) => sum(out, x, at, i, count, step));
    clearHighBits(out, a.width);
  });
}

/** Rows of a sum over the first axes alone, if there are few; else 0. */
function leadingRows({ shape }: RingTensor, reduced: ReadonlySet<number>): number {
  const first = [...shape.keys()].filter((axis) => !reduced.has(axis) && shape[axis] !== 1);
  const last = Math.max(-1, ...[...reduced].filter((axis) => shape[axis] !== 1));
  const rows = sizeOf(shape.filter((_, axis) => reduced.has(axis)));
  return last < (first[0] ?? shape.length) && rows <= mostRows ? rows : 0;
}

/** Beyond, a sum is a loop. */
const mostRows = 64;

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
