import { type RingTensor, reshape, type Shape, sizeOf, transpose } from "../../ring/index.ts";
import { differenceOf } from "../comparison/index.ts";
import { type Fixed, maskedWidth, type Spec } from "../kit/index.ts";

/** Shared parts of ranks and of selection by rank: rows along an axis of a tensor. */

/** Ring in which a row's elements are compared; they are opened once, for the comparison and for the selection. */
export const rowWidth = (x: Fixed): number => Math.max(maskedWidth(x), maskedWidth(differenceOf(x, x)));

/** Most elements of a row: 32,640 pairs are compared. */
const maxRowLength = 256;

/** The reason why the rows of a spec are too long, or undefined. */
export function rowLengthRefusal({ operands: [x], attrs }: Spec): string | undefined {
  const length = x!.shape.at(Number(attrs.axis))!;
  return length > maxRowLength ? `its rows have ${length} elements, at most ${maxRowLength} are ranked` : undefined;
}

export interface RowLayout {
  /** Elements of a row. */
  readonly length: number;
  /** The tensor as [rows, length]. */
  readonly toRows: (t: RingTensor) => RingTensor;
  /** [rows, n] as the tensor with n instead of the axis. */
  readonly fromRows: (t: RingTensor) => RingTensor;
}

export function rowLayout(shape: Shape, axis: number): RowLayout {
  const index = axis < 0 ? axis + shape.length : axis;
  const others = [...shape.keys()].filter((k) => k !== index);
  const order = [...others, index];
  const length = shape[index]!;
  return {
    length,
    toRows: (t) => reshape(transpose(t, order), [sizeOf(shape) / length, length]),
    fromRows: (t) => {
      const moved = reshape(t, [...others.map((k) => shape[k]!), t.shape[1]!]);
      return transpose(
        moved,
        order.map((_, k) => order.indexOf(k)),
      );
    },
  };
}
