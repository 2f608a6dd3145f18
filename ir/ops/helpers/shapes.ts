import { broadcast, type Shape } from "../../type.ts";

export const show = (shape: Shape): string => `[${shape.join(", ")}]`;

export const sameAsFirst = (operands: readonly Shape[]): Shape => operands[0]!;

export function broadcastAll(operands: readonly Shape[]): Shape {
  return operands.reduce((a, b) => {
    const met = broadcast(a, b);
    if (!met) throw new Error(`expected shapes that broadcast, found ${show(a)} and ${show(b)}`);
    return met;
  });
}

/** A negative axis counts from the end. */
export function axisOf(axis: number, rank: number): number {
  const place = axis < 0 ? axis + rank : axis;
  if (!Number.isInteger(place) || place < 0 || place >= rank) {
    throw new Error(`expected an axis of a tensor of rank ${rank}, found ${axis}`);
  }
  return place;
}

export function axesOf(axes: readonly number[], rank: number): readonly number[] {
  const places = axes.map((axis) => axisOf(axis, rank));
  if (new Set(places).size !== places.length) throw new Error(`expected distinct axes, found [${axes.join(", ")}]`);
  return places;
}

export function stridesOf(shape: Shape): readonly number[] {
  const strides: number[] = [];
  for (let axis = shape.length - 1, stride = 1; axis >= 0; axis--) {
    strides[axis] = stride;
    stride *= shape[axis]!;
  }
  return strides;
}

export function reducedShape(shape: Shape, axes: readonly number[], keepdims: boolean): Shape {
  const gone = new Set(axesOf(axes, shape.length));
  return keepdims
    ? shape.map((extent, axis) => (gone.has(axis) ? 1 : extent))
    : shape.filter((_, axis) => !gone.has(axis));
}
