import { type Shape, sizeOf } from "./type.ts";

/** A tensor of plain numbers, row-major: weights, constants, values of the interpreters. Booleans are 0 and 1. */
export interface Tensor {
  readonly shape: Shape;
  readonly data: Float64Array;
}

/** Weights by the names that a module's `params` give. */
export type WeightStore = ReadonlyMap<string, Tensor>;

export function tensor(shape: Shape, data: ArrayLike<number>): Tensor {
  return { shape, data: data instanceof Float64Array ? data : Float64Array.from(data) };
}

export function scalar(value: number): Tensor {
  return { shape: [], data: Float64Array.of(value) };
}

/** A meta tensor: shape only, to count costs without a model. */
export const shapeOnlyTensor = (shape: Shape): Tensor => ({ shape, data: new Float64Array(0) });
export const hasData = ({ shape, data }: Tensor): boolean => data.length === sizeOf(shape);

/** Raises every element to at least `least`. */
export function clampBelow({ shape, data }: Tensor, least = -Infinity): Tensor {
  return { shape, data: data.map((x) => Math.max(x, least)) };
}
