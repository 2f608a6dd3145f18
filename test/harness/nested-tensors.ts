import { type Tensor, tensor } from "../../ir/tensor.ts";
import { sizeOf } from "../../ir/type.ts";

export type Nested = number | boolean | readonly Nested[];

/** A tensor written as nested lists; booleans are 0 and 1. */
export function fromNested(value: Nested): Tensor {
  const shape: number[] = [];
  for (let at: Nested | undefined = value; Array.isArray(at); at = at[0]) shape.push(at.length);
  const flat = (Array.isArray(value) ? value.flat(Infinity) : [value]) as (number | boolean)[];
  if (flat.length !== sizeOf(shape)) throw new Error(`ragged tensor ${JSON.stringify(value)}`);
  return tensor(shape, flat.map(Number));
}

export function toNested({ shape, data }: Tensor): Nested {
  const build = (axis: number, offset: number, stride: number): Nested => {
    if (axis === shape.length) return data[offset]!;
    const inner = stride / shape[axis]!;
    return Array.from({ length: shape[axis]! }, (_, i) => build(axis + 1, offset + i * inner, inner));
  };
  return build(0, 0, sizeOf(shape));
}
