import type { Shape } from "./tensor.ts";

/**
 * Windows that slide over the spatial axes, those behind [N, C]: `pads` lists the front of every axis, then the back.
 */
export interface Windows {
  readonly kernel: Shape;
  readonly strides: readonly number[];
  readonly pads: readonly number[];
  readonly dilations: readonly number[];
}

/** Which positions of a plane each window covers. Public: shapes determine it. */
export interface WindowLayout {
  /** Windows on each spatial axis. */
  readonly counts: Shape;
  /** Elements of a window. */
  readonly area: number;
  /** [windows, area] flat positions in the plane; −1 in the padding. */
  readonly positions: Int32Array;
}

/** @throws RangeError if a window does not fit the padded plane. */
export function windowLayoutOf(spatial: Shape, { kernel, strides, pads, dilations }: Windows): WindowLayout {
  const rank = spatial.length;
  const counts = spatial.map((size, axis) => {
    const span = (kernel[axis]! - 1) * dilations[axis]! + 1;
    const count = Math.floor((size + pads[axis]! + pads[axis + rank]! - span) / strides[axis]!) + 1;
    if (!(count >= 1)) throw new RangeError(`a window [${kernel}] does not fit [${spatial}]`);
    return count;
  });
  let whole: Grid = { windows: 1, area: 1, positions: Int32Array.of(0) };
  spatial.forEach((size, axis) => {
    const along = new Int32Array(counts[axis]! * kernel[axis]!);
    for (let at = 0; at < along.length; at++) {
      const [window, k] = [Math.floor(at / kernel[axis]!), at % kernel[axis]!];
      const position = window * strides[axis]! - pads[axis]! + k * dilations[axis]!;
      along[at] = position >= 0 && position < size ? position : -1;
    }
    whole = productGrid(whole, { windows: counts[axis]!, area: kernel[axis]!, positions: along }, size);
  });
  return { counts, area: whole.area, positions: whole.positions };
}

/** [windows, area] positions, −1 in the padding. */
interface Grid {
  readonly windows: number;
  readonly area: number;
  readonly positions: Int32Array;
}

/**
 * Combines positions along the axes so far with those along one more axis of this size: every window with every window.
 */
function productGrid(outer: Grid, inner: Grid, size: number): Grid {
  const area = outer.area * inner.area;
  const windows = outer.windows * inner.windows;
  const positions = new Int32Array(windows * area);
  let to = 0;
  for (let i = 0; i < outer.windows; i++) {
    for (let j = 0; j < inner.windows; j++) {
      for (let a = 0; a < outer.area; a++) {
        const first = outer.positions[i * outer.area + a]!;
        for (let b = 0; b < inner.area; b++) {
          const second = inner.positions[j * inner.area + b]!;
          positions[to++] = first < 0 || second < 0 ? -1 : first * size + second;
        }
      }
    }
  }
  return { windows, area, positions };
}
