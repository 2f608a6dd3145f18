import type { Tensor } from "../../../ir/tensor.ts";
import { sizeOf } from "../../../ir/type.ts";

/** Assigns scales to elements along one axis. */
interface ScaleGroups {
  readonly axis: number;
  readonly groupOf: (coordinate: number) => number;
  /** Groups along the axis, where each index of the other axes has its own scales; undefined: all share one row. */
  readonly count?: number;
}

/**
 * One scale for the tensor, one for each index of an axis, or one for a block of indices along it, as QuantizeLinear
 * and DequantizeLinear define (opset 21). Throws a plain Error where scales do not fit.
 */
export function scaleGroups(
  dims: readonly number[],
  scales: readonly number[],
  axis: number,
  block: number,
): ScaleGroups {
  const along = axis < 0 ? axis + dims.length : axis;
  const misfit = () => new Error(`scales [${scales.join(", ")}] do not fit [${dims.join(", ")}] on axis ${axis}`);
  if (sizeOf(scales) === 1 && scales.length <= 1) return { axis: 0, groupOf: () => 0 };
  const size = dims[along];
  if (size === undefined || block < 0) throw misfit();
  if (scales.length === 1) {
    if (scales[0] !== size) throw misfit();
    return { axis: along, groupOf: (coordinate) => coordinate };
  }
  const count = block > 0 ? Math.ceil(size / block) : 0;
  if (dims.map((each, at) => (at === along ? count : each)).join() !== scales.join()) throw misfit();
  return { axis: along, groupOf: (coordinate) => Math.floor(coordinate / block), count };
}

/** The scale index of each element. */
function scaleIndexer(dims: readonly number[], { axis, groupOf, count }: ScaleGroups): (at: number) => number {
  const size = dims[axis] ?? 1;
  const inner = sizeOf(dims.slice(axis + 1));
  return (at) => {
    const group = groupOf(Math.floor(at / inner) % size);
    if (count === undefined) return group;
    return (Math.floor(at / inner / size) * count + group) * inner + (at % inner);
  };
}

interface QuantizationParams {
  readonly scales: Tensor;
  /** Of the scales' shape; undefined: 0. */
  readonly zeros: Tensor | undefined;
  readonly groups: ScaleGroups;
}

/** (q − zero) · scale, before rounding to a format: with 8-bit integers the product is exact. */
export function dequantizeTensor({ shape, data }: Tensor, { scales, zeros, groups }: QuantizationParams): Tensor {
  const scaleIndex = scaleIndexer(shape, groups);
  const values = data.map((q, at) => {
    const group = scaleIndex(at);
    return Math.fround(q - (zeros?.data[group] ?? 0)) * scales.data[group]!;
  });
  return { shape, data: values };
}

/** x / scale rounded to nearest, ties to even, plus the zero point, clamped to the range of the type. */
export function quantizeTensor(
  { shape, data }: Tensor,
  { scales, zeros, groups }: QuantizationParams,
  [least, most]: readonly [number, number],
): Tensor {
  const scaleIndex = scaleIndexer(shape, groups);
  const values = data.map((x, at) => {
    const group = scaleIndex(at);
    const steps = roundHalfToEven(Math.fround(x / scales.data[group]!)) + (zeros?.data[group] ?? 0);
    return Math.min(most, Math.max(least, steps));
  });
  return { shape, data: values };
}

function roundHalfToEven(x: number): number {
  const floor = Math.floor(x);
  const part = x - floor;
  return floor + (part > 0.5 || (part === 0.5 && floor % 2 !== 0) ? 1 : 0);
}

/** Unpacks integers of 2, 4 or 8 bits, the first in a byte's lowest bits; `count` from each row of bytes. */
export function unpackBits({ data }: Tensor, bits: number, rows: number, count: number): Float64Array {
  const [perByte, mask] = [8 / bits, 2 ** bits - 1];
  const width = data.length / rows;
  const out = new Float64Array(rows * count);
  // A plain loop: Float64Array.from takes three times as long, and a model has 10⁹ elements.
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < count; column++) {
      const byte = data[row * width + Math.floor(column / perByte)]!;
      out[row * count + column] = (byte >> (bits * (column % perByte))) & mask;
    }
  }
  return out;
}
