import type { Attrs } from "../../module.ts";
import type { Tensor } from "../../tensor.ts";
import { type Shape, sizeOf } from "../../type.ts";
import { numberOf } from "./attrs.ts";
import { exactLimit } from "./fixed-point.ts";
import { multiplyReals } from "./real-products.ts";
import { formatShape } from "./shapes.ts";
import { largestOf, map } from "./tensors.ts";
import { tapsOf, type Windows, windowCounts, windowsOf } from "./windows.ts";

const windows = (w: Shape, attrs: Attrs): Windows => windowsOf(attrs, w.slice(2));

/** [N, C, …spatial] and [M, C / group, …kernel] give [N, M, …windows]. */
export function convShape(x: Shape, w: Shape, attrs: Attrs): Shape {
  const group = numberOf(attrs, "group");
  const fits = x.length >= 3 && w.length === x.length && x[1] === w[1]! * group && w[0]! % group === 0;
  if (!fits) {
    throw new Error(
      `expected [N, C, …] and [M, C / ${group}, …] with M in ${group} groups, found ${formatShape(x)}, ${formatShape(w)}`,
    );
  }
  return [x[0]!, w[0]!, ...windowCounts(x.slice(2), windows(w, attrs))];
}

/** Elements of x that are gathered at a time. */
const mostGathered = 2 ** 22;

/**
 * y[n, m, o] = Σ over the channels c of m's group and the positions k of the window: x[n, c, o·stride − pad +
 * k·dilation] · w[m, c, k]. A product of matrices: of the group's weights, and of the elements under each window.
 */
export function convOf(x: Tensor, w: Tensor, attrs: Attrs): Tensor {
  const shape = convShape(x.shape, w.shape, attrs);
  const [batch, outputs] = shape as [number, number];
  const [channels, depth] = [x.shape[1]!, w.shape[1]!];
  const [plane, area] = [sizeOf(x.shape.slice(2)), sizeOf(w.shape.slice(2))];
  const taps = tapsOf(x.shape.slice(2), windows(w.shape, attrs));
  const groups = numberOf(attrs, "group");
  const [perGroup, inner] = [outputs / groups, depth * area];
  const together = Math.max(1, Math.floor(mostGathered / Math.max(inner, 1)));
  const data = new Float64Array(sizeOf(shape));
  for (let first = 0; first < taps.length; first += together) {
    const some = taps.slice(first, first + together);
    for (let n = 0; n < batch; n++) {
      for (let group = 0; group < groups; group++) {
        const gathered = gather(x.data, (n * channels + group * depth) * plane, { depth, plane, area }, some);
        const weights = w.data.subarray(group * perGroup * inner, (group + 1) * perGroup * inner);
        const sums = new Float64Array(perGroup * some.length);
        multiplyReals(sums, weights, gathered, { rows: perGroup, depth: inner, columns: some.length });
        for (let m = 0; m < perGroup; m++) {
          const row = sums.subarray(m * some.length, (m + 1) * some.length);
          data.set(row, (n * outputs + group * perGroup + m) * taps.length + first);
        }
      }
    }
  }
  return { shape, data };
}

/** [depth · area, windows]: what each window reads at each of its positions, 0 in the padding. */
function gather(
  x: Float64Array,
  first: number,
  { depth, plane, area }: { readonly depth: number; readonly plane: number; readonly area: number },
  taps: ReturnType<typeof tapsOf>,
): Float64Array {
  const out = new Float64Array(depth * area * taps.length);
  taps.forEach((window, column) => {
    for (const { position, tap } of window) {
      for (let c = 0; c < depth; c++) {
        out[(c * area + tap) * taps.length + column] = x[first + c * plane + position]!;
      }
    }
  });
  return out;
}

/** Convolution of integers; NaN where float64 may have rounded, that is where Σ|x||w| reaches 2^53. */
export function exactConv(x: Tensor, w: Tensor, attrs: Attrs): Tensor {
  const result = convOf(x, w, attrs);
  if (largestOf(x) * largestOf(w) * sizeOf(w.shape.slice(1)) < exactLimit) return result;
  const bound = convOf(map(x, Math.abs), map(w, Math.abs), attrs).data;
  return { shape: result.shape, data: result.data.map((v, i) => (bound[i]! < exactLimit ? v : Number.NaN)) };
}
