import type { Tensor } from "../../ir/tensor.ts";
import type { Dtype } from "./dtype.ts";
import { encodeElements } from "./element-codecs.ts";

/** Fraction bits and smallest exponent of the narrower formats that a model may be exported to. */
const formats: Partial<Record<Dtype, readonly [number, number]>> = { float16: [10, -14], bfloat16: [7, -126] };

/** The values of a tensor after export to a format. */
export const roundTensor = ({ shape, data }: Tensor, dtype: Dtype): Tensor =>
  dtype === "float64" ? { shape, data } : { shape, data: data.map((value) => roundToDtype(value, dtype)) };

/** Rounds to the nearest value of the format, ties to even; beyond the largest, to infinity. */
export function roundToDtype(value: number, dtype: Dtype): number {
  if (dtype === "float32") return Math.fround(value);
  const format = formats[dtype];
  if (!format || value === 0 || !Number.isFinite(value)) return value;
  const [bits, least] = format;
  const unit = 2 ** (Math.max(Math.floor(Math.log2(Math.abs(value))), least) - bits);
  const scaled = value / unit;
  const floor = Math.floor(scaled);
  const part = scaled - floor;
  const up = part > 0.5 || (part === 0.5 && floor % 2 !== 0);
  // A value that rounds to zero keeps its sign, as zeros in the file do.
  return (floor + (up ? 1 : 0)) * unit || (value < 0 ? -0 : 0);
}

/** Little-endian elements of any weight format; values outside the format are rounded to nearest. */
export function encodeWeight(dtype: Dtype, { data }: Pick<Tensor, "data">): Uint8Array {
  const numbers = data.map((value) => roundToDtype(value, dtype));
  if (dtype === "float16") return new Uint8Array(Uint16Array.from(numbers, halfBits).buffer);
  // The upper half of single precision.
  if (dtype === "bfloat16") return new Uint8Array(Float32Array.from(numbers).buffer).filter((_, at) => at % 4 >= 2);
  return encodeElements(dtype, data);
}

/** The IEEE 754 binary16 code of a value that binary16 represents. */
function halfBits(value: number): number {
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const size = Math.abs(value);
  if (size < 2 ** -14) return sign + size * 2 ** 24;
  const exponent = Math.floor(Math.log2(size));
  return sign + (exponent + 15) * 1024 + (size / 2 ** exponent - 1) * 1024;
}
