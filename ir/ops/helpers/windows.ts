import type { Attrs } from "../../module.ts";
import type { Tensor } from "../../tensor.ts";
import { type Shape, sizeOf } from "../../type.ts";
import type { OpDef } from "../define.ts";
import { numberListOf } from "./attrs.ts";
import { formatShape, stridesOf } from "./shapes.ts";

/** Windows that slide over the spatial axes, those behind [N, C]. Each list has one entry per axis, `pads` two. */
export interface Windows {
  readonly kernel: Shape;
  readonly strides: readonly number[];
  /** In front on every axis, then behind on every axis, as ONNX writes them. */
  readonly pads: readonly number[];
  readonly dilations: readonly number[];
}

export const windowAttrs: OpDef["attrs"] = {
  strides: { kind: "ints", summary: "step of the window, per spatial axis" },
  pads: { kind: "ints", summary: "positions added in front on every spatial axis, then behind" },
  dilations: { kind: "ints", summary: "distance of neighbors in a window, per spatial axis" },
};
export const poolAttrs: OpDef["attrs"] = {
  kernel: { kind: "ints", summary: "sizes of the window, per spatial axis" },
  ...windowAttrs,
};

export const windowsOf = (attrs: Attrs, kernel: Shape = numberListOf(attrs, "kernel")): Windows => ({
  kernel,
  strides: numberListOf(attrs, "strides"),
  pads: numberListOf(attrs, "pads"),
  dilations: numberListOf(attrs, "dilations"),
});

/** How many windows fit on each spatial axis. Throws a plain Error when the lists do not fit. */
export function windowCounts(spatial: Shape, { kernel, strides, pads, dilations }: Windows): Shape {
  const rank = spatial.length;
  const fits = [kernel, strides, dilations].every((list) => list.length === rank && list.every((n) => n >= 1));
  if (rank === 0 || !fits || pads.length !== 2 * rank || pads.some((n) => n < 0)) {
    throw new Error(
      `expected kernel, strides, dilations and pads for the axes of ${formatShape(spatial)}, found ${[kernel, strides, dilations, pads].map(formatShape).join(", ")}`,
    );
  }
  return spatial.map((size, axis) => {
    const span = (kernel[axis]! - 1) * dilations[axis]! + 1;
    const padded = size + pads[axis]! + pads[axis + rank]!;
    if (span > padded) throw new Error(`expected a window of at most ${padded} on axis ${axis}, found ${span}`);
    return Math.floor((padded - span) / strides[axis]!) + 1;
  });
}

/**
 * Whether some window covers no element: it lies in the padding along one axis, or its dilated positions skip the axis.
 */
export function hasEmptyWindow(spatial: Shape, windows: Windows): boolean {
  const { kernel, strides, pads, dilations } = windows;
  return windowCounts(spatial, windows).some((count, axis) => {
    const [size, step] = [spatial[axis]!, dilations[axis]!];
    const isEmpty = (window: number): boolean => {
      const first = window * strides[axis]! - pads[axis]!;
      const skipped = first < 0 ? Math.ceil(-first / step) : 0;
      return skipped >= kernel[axis]! || first + skipped * step >= size;
    };
    // After the leading padding, only the last window can start too late.
    const inFront = Math.min(count, Math.ceil(pads[axis]! / strides[axis]!));
    for (let window = 0; window < inFront; window++) if (isEmpty(window)) return true;
    return isEmpty(count - 1);
  });
}

export interface Tap {
  /** Flat position in the plane. */
  readonly position: number;
  /** Flat position in the window. */
  readonly tap: number;
}

/** For each window, in order: the positions that it covers, without those in the padding. */
export function tapsOf(spatial: Shape, windows: Windows): readonly (readonly Tap[])[] {
  const { kernel, strides, pads, dilations } = windows;
  const own = stridesOf(spatial);
  return indicesOf(windowCounts(spatial, windows)).map((window) =>
    indicesOf(kernel).flatMap((offset, tap) => {
      const coordinates = offset.map((k, axis) => window[axis]! * strides[axis]! - pads[axis]! + k * dilations[axis]!);
      const exists = coordinates.every((p, axis) => p >= 0 && p < spatial[axis]!);
      return exists ? [{ position: coordinates.reduce((sum, p, axis) => sum + p * own[axis]!, 0), tap }] : [];
    }),
  );
}

/** Every index of a shape, in row-major order. */
const indicesOf = (shape: Shape): number[][] =>
  shape.reduce<number[][]>(
    (indices, size) => indices.flatMap((index) => Array.from({ length: size }, (_, i) => [...index, i])),
    [[]],
  );

/** [N, C, …spatial] with the spatial sizes replaced by the number of windows. */
export function pooledShape(x: Shape, attrs: Attrs): Shape {
  if (x.length < 3) throw new Error(`expected [N, C, …spatial], found ${formatShape(x)}`);
  return [...x.slice(0, 2), ...windowCounts(x.slice(2), windowsOf(attrs))];
}

/** Applies f to the elements of each window; padding adds none. */
export function pool(x: Tensor, attrs: Attrs, f: (elements: readonly number[]) => number): Tensor {
  const shape = pooledShape(x.shape, attrs);
  const spatial = x.shape.slice(2);
  const taps = tapsOf(spatial, windowsOf(attrs));
  const plane = sizeOf(spatial);
  const data = new Float64Array(sizeOf(shape));
  for (let row = 0, to = 0; row < shape[0]! * shape[1]!; row++) {
    for (const window of taps) data[to++] = f(window.map(({ position: at }) => x.data[row * plane + at]!));
  }
  return { shape, data };
}
