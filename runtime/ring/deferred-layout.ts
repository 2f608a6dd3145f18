import { defer, isDeferred, isPending, isWorthDeferring } from "./deferred.ts";
import { lanesOf, type RingTensor, ringTensor, type Shape, sizeOf } from "./tensor.ts";

// Layout that costs nothing where the elements stay in their order. A tensor that has its contents is cheaper to copy.

/** The elements from `offset` on, in a shape; undefined where they are so few that a copy is better. */
export function deferRun(a: RingTensor, shape: Shape, offset: number): RingTensor | undefined {
  const length = sizeOf(shape);
  if (!isWorthDeferring(length, [a])) return undefined;
  if (!isDeferred(a)) {
    const lanes = lanesOf(a.width);
    return ringTensor(shape, a.width, a.data!.subarray(lanes * offset, lanes * (offset + length)));
  }
  return defer(shape, a.width, {
    ...{ operands: [{ tensor: a, pattern: "each" }], rowLength: length },
    emit: (_, read) => read(0, offset),
  });
}

/** Tensors of one size, one after the other; undefined where that is a copy. */
export function deferJoined(tensors: readonly RingTensor[], shape: Shape): RingTensor | undefined {
  const [first] = tensors;
  if (!first || !tensors.some(isPending)) return undefined;
  const length = sizeOf(first.shape);
  if (!isWorthDeferring(length, tensors) || tensors.some((a) => sizeOf(a.shape) !== length)) return undefined;
  return defer(shape, first.width, {
    ...{ operands: tensors.map((tensor) => ({ tensor, pattern: "each" as const })), rowLength: length },
    emit: (_, read, row) => read(row, 0),
  });
}
