import type { Tensor } from "../../tensor.ts";
import { broadcast, type Shape, sameShape, sizeOf } from "../../type.ts";
import { axesOf, stridesOf } from "./shapes.ts";

/** Copies the elements that strides and an offset select: the core of transpose, slice and expand. */
export function copyStrided(source: Tensor, shape: Shape, strides: readonly number[], offset = 0): Tensor {
  const out = new Float64Array(sizeOf(shape));
  const { data } = source;
  const last = shape.length - 1;
  let position = 0;
  const walk = (axis: number, from: number): void => {
    const size = shape[axis]!;
    const stride = strides[axis]!;
    if (axis === last) for (let i = 0; i < size; i++) out[position++] = data[from + i * stride]!;
    else for (let i = 0; i < size; i++) walk(axis + 1, from + i * stride);
  };
  if (shape.length === 0) out[0] = data[offset]!;
  else if (out.length > 0) walk(0, offset);
  return { shape, data: out };
}

export function map(source: Tensor, f: (x: number) => number): Tensor {
  const { data, shape } = source;
  const out = new Float64Array(data.length);
  for (let i = 0; i < out.length; i++) out[i] = f(data[i]!);
  return { shape, data: out };
}

/** Largest magnitude; NaN counts for nothing. */
export function largestOf({ data }: Tensor): number {
  let most = 0;
  for (let i = 0; i < data.length; i++) {
    const x = Math.abs(data[i]!);
    if (x > most) most = x;
  }
  return most;
}

export function expandTo(source: Tensor, shape: Shape): Tensor {
  if (sameShape(source.shape, shape)) return source;
  const own = stridesOf(source.shape);
  const missing = shape.length - source.shape.length;
  const strides = shape.map((_, axis) =>
    axis < missing || source.shape[axis - missing] === 1 ? 0 : own[axis - missing]!,
  );
  return copyStrided(source, shape, strides);
}

/** Whether repeating the data end to end broadcasts it to `whole`. */
function repeats(shape: Shape, whole: Shape): boolean {
  const start = shape.findIndex((size) => size !== 1);
  const core = start < 0 ? [] : shape.slice(start);
  return core.every((size, axis) => size === whole[whole.length - core.length + axis]);
}

/** Elementwise, with numpy broadcasting. */
export function zip(a: Tensor, b: Tensor, f: (x: number, y: number) => number): Tensor {
  const shape = broadcast(a.shape, b.shape);
  if (!shape) throw new Error(`expected shapes that broadcast, found [${a.shape}] and [${b.shape}]`);
  const out = new Float64Array(sizeOf(shape));
  const x = repeats(a.shape, shape) ? a.data : expandTo(a, shape).data;
  const y = repeats(b.shape, shape) ? b.data : expandTo(b, shape).data;
  if (x.length === y.length) {
    for (let i = 0; i < out.length; i++) out[i] = f(x[i]!, y[i]!);
    return { shape, data: out };
  }
  for (let i = 0, p = 0, q = 0; i < out.length; i++) {
    out[i] = f(x[p]!, y[q]!);
    if (++p === x.length) p = 0;
    if (++q === y.length) q = 0;
  }
  return { shape, data: out };
}

/** Moves the given axes to the end and merges them: each row is the input of one reduction. */
export function rowsOf(
  source: Tensor,
  axes: readonly number[],
): { readonly data: Float64Array; readonly length: number } {
  const rank = source.shape.length;
  const moved = [...axesOf(axes, rank)].sort((a, b) => a - b);
  const order = [...source.shape.keys()].filter((axis) => !moved.includes(axis)).concat(moved);
  const length = sizeOf(moved.map((axis) => source.shape[axis]!));
  if (order.every((axis, index) => axis === index)) return { data: source.data, length };
  const strides = stridesOf(source.shape);
  const { data } = copyStrided(
    source,
    order.map((axis) => source.shape[axis]!),
    order.map((axis) => strides[axis]!),
  );
  return { data, length };
}

/** Outer, own and inner sizes around one axis: element (o, i, n) lies at (o * size + i) * inner + n. */
export function splitAtAxis(
  shape: Shape,
  axis: number,
): { readonly outer: number; readonly size: number; readonly inner: number } {
  return { outer: sizeOf(shape.slice(0, axis)), size: shape[axis]!, inner: sizeOf(shape.slice(axis + 1)) };
}
