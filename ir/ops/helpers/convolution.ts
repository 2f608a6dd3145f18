import type { Attrs } from "../../module.ts";
import type { Tensor } from "../../tensor.ts";
import { type Shape, sizeOf } from "../../type.ts";
import { numberOf } from "./attrs.ts";
import { exactLimit } from "./fixed-point.ts";
import { formatShape } from "./shapes.ts";
import { map } from "./tensors.ts";
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

/**
 * y[n, m, o] = Σ over the channels c of m's group and the positions k of the window: x[n, c, o·stride − pad +
 * k·dilation] · w[m, c, k]
 */
export function convOf(x: Tensor, w: Tensor, attrs: Attrs): Tensor {
  const shape = convShape(x.shape, w.shape, attrs);
  const [batch, outputs] = shape as [number, number];
  const [channels, depth] = [x.shape[1]!, w.shape[1]!];
  const [plane, area] = [sizeOf(x.shape.slice(2)), sizeOf(w.shape.slice(2))];
  const taps = tapsOf(x.shape.slice(2), windows(w.shape, attrs));
  const perGroup = outputs / numberOf(attrs, "group");
  const data = new Float64Array(sizeOf(shape));
  let to = 0;
  for (let n = 0; n < batch; n++) {
    for (let m = 0; m < outputs; m++) {
      const first = n * channels + Math.floor(m / perGroup) * depth;
      for (const window of taps) {
        let sum = 0;
        for (let c = 0; c < depth; c++) {
          const [from, weight] = [(first + c) * plane, (m * depth + c) * area];
          for (const { position: at, tap } of window) sum += x.data[from + at]! * w.data[weight + tap]!;
        }
        data[to++] = sum;
      }
    }
  }
  return { shape, data };
}

/** Convolution of integers; NaN where float64 may have rounded, that is where Σ|x||w| reaches 2^53. */
export function exactConv(x: Tensor, w: Tensor, attrs: Attrs): Tensor {
  const result = convOf(x, w, attrs);
  const most = ({ data }: Tensor): number => data.reduce((a, v) => Math.max(a, Math.abs(v)), 0);
  if (most(x) * most(w) * sizeOf(w.shape.slice(1)) < exactLimit) return result;
  const bound = convOf(map(x, Math.abs), map(w, Math.abs), attrs).data;
  return { shape: result.shape, data: result.data.map((v, i) => (bound[i]! < exactLimit ? v : Number.NaN)) };
}
