import type { Builder, Term } from "../kernels/index.ts";
import { broadcastAxes } from "./broadcast.ts";
import { defer, deferFrom, isPending, type Operand, rowLengthOf } from "./deferred.ts";
import type { RingTensor, Shape } from "./tensor.ts";
import { sizeOf } from "./tensor.ts";

/** One element of the result, from an element of each operand. It leaves the bits above the width zero. */
export type ElementCode = (code: Builder, ...elements: readonly Term[]) => Term;

/** Beyond so many, rows that repeat an operand are not computed one by one. */
const mostRepeats = 32;

/** An elementwise result, broadcast, that is computed when it is needed. */
export function deferElements(
  shape: Shape,
  width: number,
  tensors: readonly RingTensor[],
  code: ElementCode,
): RingTensor {
  const rowLength = commonRows(tensors, shape);
  const forms = tensors.map((tensor) => formOf(tensor, shape, rowLength));
  return defer(shape, width, {
    operands: forms.map(({ operand }) => operand),
    rowLength,
    emit: (builder, read) => code(builder, ...forms.map(({ isRow }, k) => (isRow ? read(k, 0) : read(k)))),
  });
}

/** How an operand is read; `isRow` where each row of the result reads all of it. */
function formOf(tensor: RingTensor, shape: Shape, rowLength: number): { operand: Operand; isRow: boolean } {
  const count = sizeOf(tensor.shape);
  if (count === sizeOf(shape)) return { operand: { tensor, pattern: "each" }, isRow: false };
  if (count === 1) return { operand: { tensor, pattern: "one" }, isRow: false };
  if (count === rowLength && repeatsOf(tensor, shape)) return { operand: { tensor, pattern: "each" }, isRow: true };
  return { operand: { tensor, pattern: broadcastAxes(tensor.shape, shape) }, isRow: false };
}

/** Rows such that no operand has to be computed before. */
function commonRows(tensors: readonly RingTensor[], shape: Shape): number {
  const count = sizeOf(shape);
  const lengths = tensors.flatMap((tensor) => {
    const own = sizeOf(tensor.shape);
    if (own === count) return rowLengthOf(tensor) ?? [];
    const isWorth = own >= deferFrom.elements && isPending(tensor) && repeatsOf(tensor, shape);
    return isWorth ? [rowLengthOf(tensor) ?? own] : [];
  });
  return Math.min(count, ...lengths);
}

/** Whether the shape repeats the whole tensor, few times. */
function repeatsOf(tensor: RingTensor, shape: Shape): boolean {
  const axes = broadcastAxes(tensor.shape, shape);
  const [outer, inner] = axes;
  return axes.length === 2 && outer!.step === 0 && inner!.step === 1 && outer!.size <= mostRepeats;
}
