import { broadcast, type Shape } from "../../type.ts";

export const formatShape = (shape: Shape): string => `[${shape.join(", ")}]`;

export const sameAsFirst = (operands: readonly Shape[]): Shape => operands[0]!;

export function broadcastAll(operands: readonly Shape[]): Shape {
  return operands.reduce((a, b) => {
    const met = broadcast(a, b);
    if (!met) throw new Error(`expected shapes that broadcast, found ${formatShape(a)} and ${formatShape(b)}`);
    return met;
  });
}

/** A negative axis counts from the end. */
export function axisOf(axis: number, rank: number): number {
  const wrapped = axis < 0 ? axis + rank : axis;
  if (!Number.isInteger(wrapped) || wrapped < 0 || wrapped >= rank) {
    throw new Error(`expected an axis of a tensor of rank ${rank}, found ${axis}`);
  }
  return wrapped;
}

export function axesOf(axes: readonly number[], rank: number): readonly number[] {
  const wrapped = axes.map((axis) => axisOf(axis, rank));
  if (new Set(wrapped).size !== wrapped.length) throw new Error(`expected distinct axes, found [${axes.join(", ")}]`);
  return wrapped;
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
  return keepdims ? shape.map((size, axis) => (gone.has(axis) ? 1 : size)) : shape.filter((_, axis) => !gone.has(axis));
}
