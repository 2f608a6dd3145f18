import { kernel, topMask } from "./kernel.ts";
import {
  type IntTensor,
  intTensor,
  lanesOf,
  type RingTensor,
  ringTensor,
  type Shape,
  sizeOf,
  zeros,
} from "./tensor.ts";

const TWO_32 = 2 ** 32;

/** The scalar n mod 2^width. Exact for every integer that a double holds, 2^63 included. */
export function residue(n: number, width: number): RingTensor {
  const result = zeros([], width);
  store(result.data!, 0, n, width, topMask(width));
  return result;
}

/** Two's complement residues of integers. @throws RangeError with the index of a value that is not a safe integer. */
export function fromIntegers(a: IntTensor, width: number): RingTensor {
  return kernel([a], a.shape, width, (out, values) => {
    const stray = firstUnsafe(values);
    if (stray >= 0) throw new RangeError(`element ${stray}: ${values[stray]} is not an integer below 2^53`);
    const mask = topMask(width);
    if (width <= 32) for (let i = 0; i < values.length; i++) out[i] = values[i]! & mask;
    else {
      for (let i = 0; i < values.length; i++) {
        const value = values[i]!;
        out[2 * i] = value;
        out[2 * i + 1] = Math.floor(value * 2 ** -32) & mask;
      }
    }
  });
}

/** The index of the first value that is no safe integer, or −1. */
function firstUnsafe(values: Float64Array): number {
  for (let i = 0; i < values.length; i++) if (!Number.isSafeInteger(values[i])) return i;
  return -1;
}

/**
 * Residues as signed integers; those of width 1 as 0 and 1. Only for values that are public or that the caller knows:
 * the loop stops at the first value that is too large. @throws RangeError with the index if |value| ≥ 2^53.
 */
export function toIntegers(a: RingTensor): IntTensor {
  if (a.data === undefined) return intTensor(a.shape, undefined);
  const values = signedValues(a, a.data);
  const index = a.width > 53 ? firstUnsafe(values) : -1;
  if (index >= 0) throw new RangeError(`element ${index}: ${values[index]} is not below 2^53`);
  return intTensor(a.shape, values);
}

/**
 * Fixed-point residues round(value · 2^scale) mod 2^width; halves round up, towards +∞. A meta tensor without data.
 * @throws RangeError with the index of a value that is not a number, or if |value · 2^scale| ≥ 2^(width−1) before or
 * after rounding.
 */
export function fromReal(
  data: Float64Array | Float32Array | undefined,
  shape: Shape,
  width: number,
  scale: number,
): RingTensor {
  if (data === undefined) return ringTensor(shape, width, undefined);
  if (data.length !== sizeOf(shape))
    throw new RangeError(`shape [${shape}] needs ${sizeOf(shape)} values, got ${data.length}`);
  const result = zeros(shape, width);
  const factor = 2 ** scale;
  const bound = 2 ** (width - 1);
  const mask = topMask(width);
  for (let i = 0; i < data.length; i++) {
    const scaled = data[i]! * factor;
    const rounded = Math.round(scaled);
    if (!(Math.abs(scaled) < bound && Math.abs(rounded) < bound)) {
      throw new RangeError(`element ${i}: ${data[i]} does not fit ${width} bits with ${scale} fractional bits`);
    }
    store(result.data!, i, rounded, width, mask);
  }
  return result;
}

/** Signed values divided by 2^scale, each rounded to the nearest double. @throws RangeError for a meta tensor. */
export function toReal(a: RingTensor, scale: number): Float64Array {
  if (a.data === undefined) throw new RangeError(`a meta tensor of shape [${a.shape}] has no values`);
  const values = signedValues(a, a.data);
  const factor = 2 ** -scale;
  for (let i = 0; i < values.length; i++) values[i] = values[i]! * factor;
  return values;
}

// Stores into a Uint32Array and bitwise operators take an integer mod 2^32, exactly, whatever its size and sign.
function store(out: Uint32Array, index: number, value: number, width: number, mask: number): void {
  if (width <= 32) {
    out[index] = value & mask;
  } else {
    out[2 * index] = value;
    out[2 * index + 1] = Math.floor(value / TWO_32) & mask;
  }
}

function signedValues(a: RingTensor, data: Uint32Array): Float64Array {
  const values = new Float64Array(sizeOf(a.shape));
  if (a.width === 1) return Float64Array.from(data);
  const unused = -a.width & 31;
  if (lanesOf(a.width) === 1) {
    for (let i = 0; i < values.length; i++) values[i] = (data[i]! << unused) >> unused;
  } else {
    for (let i = 0; i < values.length; i++) {
      values[i] = ((data[2 * i + 1]! << unused) >> unused) * TWO_32 + data[2 * i]!;
    }
  }
  return values;
}
