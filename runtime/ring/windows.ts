import { type Shape, sizeOf } from "./tensor.ts";

/** Windows that slide over the spatial axes, those behind [N, C]: `pads` in front on every axis, then behind. */
export interface Windows {
  readonly kernel: Shape;
  readonly strides: readonly number[];
  readonly pads: readonly number[];
  readonly dilations: readonly number[];
}

/** Which places of a plane each window meets. Public: it comes from shapes alone. */
export interface Layout {
  /** Windows on each spatial axis. */
  readonly counts: Shape;
  /** Elements of a window. */
  readonly area: number;
  /** [windows, area] flat positions in the plane; −1 in the padding. */
  readonly places: Int32Array;
}

/** @throws RangeError if a window does not fit the padded plane. */
export function layoutOf(spatial: Shape, { kernel, strides, pads, dilations }: Windows): Layout {
  const rank = spatial.length;
  const counts = spatial.map((extent, axis) => {
    const span = (kernel[axis]! - 1) * dilations[axis]! + 1;
    const count = Math.floor((extent + pads[axis]! + pads[axis + rank]! - span) / strides[axis]!) + 1;
    if (!(count >= 1)) throw new RangeError(`a window [${kernel}] does not fit [${spatial}]`);
    return count;
  });
  const area = sizeOf(kernel);
  // Axis by axis: a position in the axes so far, or −1; each window times each of its elements.
  let rows: number[][] = [[0]];
  spatial.forEach((extent, axis) => {
    const along = Array.from({ length: counts[axis]! }, (_, window) =>
      Array.from({ length: kernel[axis]! }, (_, k) => {
        const place = window * strides[axis]! - pads[axis]! + k * dilations[axis]!;
        return place >= 0 && place < extent ? place : -1;
      }),
    );
    const step = (at: number, place: number): number => (at < 0 || place < 0 ? -1 : at * extent + place);
    rows = rows.flatMap((row) => along.map((places) => row.flatMap((at) => places.map((place) => step(at, place)))));
  });
  return { counts, area, places: Int32Array.from(rows.flat()) };
}
