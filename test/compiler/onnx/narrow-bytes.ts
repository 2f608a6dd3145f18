import type { Dtype } from "../../../compiler/onnx/dtype.ts";
import { encodeElements } from "../../../compiler/onnx/tensor-data.ts";

/** Bits of a number that half precision has. */
function halfBits(value: number): number {
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const size = Math.abs(value);
  if (size < 2 ** -14) return sign + size * 2 ** 24;
  const exponent = Math.floor(Math.log2(size));
  return sign + (exponent + 15) * 1024 + (size / 2 ** exponent - 1) * 1024;
}

/** Elements of any of the formats of weights, of numbers that the format has. */
export function weightBytes(dtype: Dtype, data: Float64Array): Uint8Array {
  if (dtype === "float16") return new Uint8Array(Uint16Array.from(data, halfBits).buffer);
  // Of bfloat16: the upper half of single precision.
  if (dtype === "bfloat16") return new Uint8Array(Float32Array.from(data).buffer).filter((_, at) => at % 4 >= 2);
  return encodeElements(dtype, data);
}
