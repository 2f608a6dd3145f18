/**
 * Convolutions as matrix products of unfolded windows. Unfolding moves elements and writes zeros, so it commutes with
 * sharing, with masks and with opened values: a convolution of shares is a share of the convolution.
 */

import { reshape, slice, transpose } from "./layout-ops.ts";
import { matmul, matmulInteger } from "./matmul.ts";
import { reduceSum } from "./reduce.ts";
import { type IntTensor, lanesOf, metaTensor, type RingTensor, ringTensor, sizeOf, zeros } from "./tensor.ts";
import { type WindowLayout, type Windows, windowLayoutOf } from "./windows.ts";

/** Windows of a convolution without the kernel size, which the weight gives, and the number of channel groups. */
export interface ConvolutionGeometry extends Omit<Windows, "kernel"> {
  readonly group: number;
}

/** Elements of an unfolded block, which fits the second-level cache. */
const BLOCK = 2 ** 16;

/**
 * x[N, C, …] with w[M, C / group, …kernel], mod 2^width, for a weight in the ring: [N, M, …windows].
 * @throws RangeError if the channels or the windows do not fit.
 */
export const convolve = (x: RingTensor, w: RingTensor, how: ConvolutionGeometry): RingTensor =>
  convolveWith(x, w, how, matmul);

/** `convolve` for integers that this party knows. */
export const convolveInteger = (x: RingTensor, w: IntTensor, how: ConvolutionGeometry): RingTensor =>
  convolveWith(x, w, how, matmulInteger);

/** Sums over windows of x[N, C, …]: [N, C, …windows]. */
export function sumWindows(x: RingTensor, windows: Windows): RingTensor {
  const spatial = x.shape.slice(2);
  const layout = windowLayoutOf(spatial, windows);
  const shape = [...x.shape.slice(0, 2), ...layout.counts];
  if (!x.data) return metaTensor(shape, x.width);
  const planes = reshape(x, [x.shape[0]! * x.shape[1]!, sizeOf(spatial)]);
  const sums = zeros(shape, x.width);
  const count = layout.positions.length / layout.area;
  for (let row = 0; row < planes.shape[0]!; row++) {
    const unfolded = unfold(planes, row, 1, layout, 0, count);
    sums.data!.set(reduceSum(unfolded, [1], false).data!, row * count * lanesOf(x.width));
  }
  return sums;
}

function convolveWith<W extends RingTensor | IntTensor>(
  x: RingTensor,
  w: W,
  how: ConvolutionGeometry,
  product: (x: RingTensor, w: W) => RingTensor,
): RingTensor {
  const [batch, channels] = x.shape as [number, number];
  const [outputs, depth] = w.shape as [number, number];
  const { group } = how;
  if (channels !== depth * group || outputs % group !== 0) {
    throw new RangeError(`[${x.shape}] and [${w.shape}] do not convolve in ${group} groups`);
  }
  const layout = windowLayoutOf(x.shape.slice(2), { ...how, kernel: w.shape.slice(2) });
  const shape = [batch, outputs, ...layout.counts];
  if (!x.data || !w.data) return metaTensor(shape, x.width);
  const planes = reshape(x, [batch * channels, sizeOf(x.shape.slice(2))]);
  const result = zeros(shape, x.width);
  const [count, perGroup, inner] = [layout.positions.length / layout.area, outputs / group, depth * layout.area];
  const rows = Math.max(1, Math.floor(BLOCK / inner));
  for (let g = 0; g < group; g++) {
    const weight = columnsOf(w, g * perGroup, perGroup, inner);
    for (let n = 0; n < batch; n++) {
      for (let from = 0; from < count; from += rows) {
        const some = Math.min(rows, count - from);
        const unfolded = unfold(planes, n * channels + g * depth, depth, layout, from, some);
        storeProduct(result, product(unfolded, weight), (n * outputs + g * perGroup) * count + from, count);
      }
    }
  }
  return result;
}

/** The weights of some outputs as columns: [C / group · area, outputs]. */
function columnsOf<W extends RingTensor | IntTensor>(w: W, from: number, count: number, inner: number): W {
  const flat = reshape(w, [w.shape[0]!, inner]);
  return transpose(slice(flat, [from, 0], [from + count, inner]), [1, 0]);
}

/** Windows from…from+count of some channels, each as a row: [count, channels · area], zeros in the padding. */
function unfold(
  planes: RingTensor,
  channel: number,
  channels: number,
  { area, positions }: WindowLayout,
  from: number,
  count: number,
): RingTensor {
  const lanes = lanesOf(planes.width);
  const plane = planes.shape[1]!;
  const data = planes.data!;
  const out = new Uint32Array(count * channels * area * lanes);
  let to = 0;
  for (let row = from * area; row < (from + count) * area; row += area) {
    for (let c = channel; c < channel + channels; c++) {
      for (let k = row; k < row + area; k++, to += lanes) {
        const at = positions[k]!;
        // The positions are public: shapes determine which of them are padding.
        if (at < 0) continue;
        const source = (c * plane + at) * lanes;
        out[to] = data[source]!;
        if (lanes === 2) out[to + 1] = data[source + 1]!;
      }
    }
  }
  return ringTensor([count, channels * area], planes.width, out);
}

/** Writes product[windows, outputs] into result, one output every `stride` elements from `at` on. */
function storeProduct(result: RingTensor, product: RingTensor, at: number, stride: number): void {
  const lanes = lanesOf(result.width);
  const turned = transpose(product, [1, 0]);
  const [outputs, windows] = turned.shape as readonly number[] as [number, number];
  for (let m = 0; m < outputs; m++) {
    const row = turned.data!.subarray(m * windows * lanes, (m + 1) * windows * lanes);
    result.data!.set(row, (at + m * stride) * lanes);
  }
}
