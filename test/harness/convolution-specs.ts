import type { Spec } from "../../runtime/protocols/kit/define-protocol.ts";
import { fixed } from "./execute-protocol.ts";

/** A convolution over two axes, with the same stride, padding and dilation on both. */
export interface ConvShape {
  readonly batch: number;
  readonly channels: number;
  readonly side: number;
  readonly outputs: number;
  readonly kernel: number;
  readonly stride: number;
  readonly pad: number;
  readonly dilation: number;
  readonly group: number;
}
const shape = (
  batch: number,
  channels: number,
  side: number,
  outputs: number,
  kernel: number,
  [stride = 1, pad = 0, dilation = 1, group = 1]: readonly number[] = [],
): ConvShape => ({ batch, channels, side, outputs, kernel, stride, pad, dilation, group });

export const convShapes: readonly ConvShape[] = [
  shape(1, 1, 1, 1, 1),
  shape(2, 3, 5, 4, 3, [1, 1]),
  shape(1, 4, 7, 6, 3, [2, 1, 1, 2]),
  shape(1, 2, 8, 2, 2, [2]),
  shape(1, 3, 7, 3, 3, [1, 2, 2, 3]),
  shape(2, 4, 4, 8, 3, [1, 1, 1, 4]),
  shape(1, 5, 3, 2, 3),
];

export const windowsAlong = ({ side, kernel, stride, pad, dilation }: ConvShape): number =>
  Math.floor((side + 2 * pad - (kernel - 1) * dilation - 1) / stride) + 1;

/** Bounds are magnitudes of x and w. */
export function convSpec(
  each: ConvShape,
  scales: readonly [number, number],
  bounds: readonly [number, number],
  width: number,
): Spec {
  const { batch, channels, side, outputs, kernel, stride, pad, dilation, group } = each;
  const most = bounds[0] * bounds[1] * (channels / group) * kernel ** 2;
  const out = windowsAlong(each);
  return {
    operands: [
      fixed([batch, channels, side, side], scales[0], -bounds[0], bounds[0]),
      fixed([outputs, channels / group, kernel, kernel], scales[1], -bounds[1], bounds[1]),
    ],
    result: fixed([batch, outputs, out, out], scales[0] + scales[1], -most, most, width),
    attrs: { strides: [stride, stride], pads: [pad, pad, pad, pad], dilations: [dilation, dilation], group },
  };
}

/** The convolution by its definition; results of at most 53 bits are exact. */
export function convolveDirectly(each: ConvShape, x: ArrayLike<number>, w: ArrayLike<number>): number[] {
  const { batch, channels, side, outputs, kernel, stride, pad, dilation, group } = each;
  const out = windowsAlong(each);
  const depth = channels / group;
  const sums: number[] = [];
  for (let at = 0; at < batch * outputs * out * out; at++) {
    const [row, column] = [Math.floor(at / out) % out, at % out];
    const [n, m] = [Math.floor(at / (outputs * out * out)), Math.floor(at / (out * out)) % outputs];
    let sum = 0;
    for (let k = 0; k < depth * kernel * kernel; k++) {
      const [c, i, j] = [Math.floor(k / kernel ** 2), Math.floor(k / kernel) % kernel, k % kernel];
      const [y, z] = [row * stride - pad + i * dilation, column * stride - pad + j * dilation];
      if (y < 0 || z < 0 || y >= side || z >= side) continue;
      const channel = Math.floor(m / (outputs / group)) * depth + c;
      sum += x[((n * channels + channel) * side + y) * side + z]! * w[m * depth * kernel ** 2 + k]!;
    }
    // An integer has one zero.
    sums.push(sum + 0);
  }
  return sums;
}

/** Two axes; [batch, channels, side] and [kernel, stride, pad in front, pad behind, dilation]. */
export type PoolShape = readonly [
  shape: readonly [number, number, number],
  window: readonly [kernel: number, stride: number, front: number, behind: number, dilation: number],
];

export const poolShapes: readonly PoolShape[] = [
  [
    [1, 2, 4],
    [2, 2, 0, 0, 1],
  ],
  [
    [2, 1, 5],
    [3, 2, 1, 1, 1],
  ],
  [
    [1, 1, 3],
    [2, 1, 0, 1, 1],
  ],
  [
    [1, 2, 5],
    [2, 1, 0, 0, 2],
  ],
  [
    [1, 1, 4],
    [4, 1, 0, 0, 1],
  ],
  [
    [1, 2, 3],
    [1, 2, 0, 0, 1],
  ],
];

export function poolSpec([[batch, channels, side], window]: PoolShape, width: number, bound = 8): Spec {
  const [kernel, stride, front, behind, dilation] = window;
  const count = Math.floor((side + front + behind - (kernel - 1) * dilation - 1) / stride) + 1;
  return {
    operands: [fixed([batch, channels, side, side], 6, -bound, bound)],
    result: fixed([batch, channels, count, count], 6, -bound, bound, width),
    attrs: {
      kernel: [kernel, kernel],
      strides: [stride, stride],
      pads: [front, front, behind, behind],
      dilations: [dilation, dilation],
    },
  };
}
