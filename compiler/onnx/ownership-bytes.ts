import { createHash } from "node:crypto";
import type { Tensor } from "../../ir/weights.ts";
import { type Dtype, itemSizes } from "./dtype.ts";
import type { Weight, WeightCatalog } from "./import-weights.ts";
import { encodeElements, tensorBytes, transpose } from "./tensor-data.ts";

/**
 * SHA-256 of a parameter's elements as the training framework keeps them ([out, in], little-endian, the file's
 * precision): of an unchanged weight it is the digest of the tensor's bytes in the base's safetensors file.
 */
export function digestOf({ model }: WeightCatalog, { source, recovered }: Weight): string {
  const bytes = tensorBytes(model, source);
  const turned = recovered?.transposed && source.dims.length === 2;
  const [rows = 0, columns = 0] = source.dims;
  const plain = turned ? transposeBytes(bytes, rows, columns, itemSizes[source.dtype]) : bytes;
  return createHash("sha256").update(plain).digest("hex");
}

/** The same of numbers that were read from a file of adapters, which keep [r, in] in single precision. */
export const digestOfNumbers = (matrix: Tensor): string =>
  createHash("sha256")
    .update(encodeElements("float32", transpose(matrix).data))
    .digest("hex");

function transposeBytes(bytes: Uint8Array, rows: number, columns: number, size: number): Uint8Array {
  const out = new Uint8Array(bytes.length);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const from = (row * columns + column) * size;
      const to = (column * rows + row) * size;
      for (let byte = 0; byte < size; byte++) out[to + byte] = bytes[from + byte]!;
    }
  }
  return out;
}

/** Fraction bits and least exponent of the formats that a model may be exported to from a wider base. */
const formats: Partial<Record<Dtype, readonly [number, number]>> = { float16: [10, -14], bfloat16: [7, -126] };

/**
 * How many of the model's numbers are not the base's. 0 as well where all are the base's rounded to the model's narrower
 * format: both are functions of the base alone. A wider model must be equal exactly: what a rounding would hide may be
 * somebody's training.
 */
export function differences(model: Tensor, base: Tensor, dtype: Dtype): number {
  if (model.data.length !== base.data.length) return model.data.length;
  const count = (of: (value: number) => number): number =>
    model.data.reduce((sum, value, at) => sum + (value === of(base.data[at]!) ? 0 : 1), 0);
  const exact = count((value) => value);
  return exact === 0
    ? 0
    : Math.min(
        exact,
        count((value) => rounded(value, dtype)),
      );
}

/** Numbers as an export to a format has them. */
export const roundedTo = ({ shape, data }: Tensor, dtype: Dtype): Tensor =>
  dtype === "float64" ? { shape, data } : { shape, data: data.map((value) => rounded(value, dtype)) };

/** Nearest number of the format, ties to even; beyond the largest, infinity. */
function rounded(value: number, dtype: Dtype): number {
  if (dtype === "float32") return Math.fround(value);
  const format = formats[dtype];
  if (!format || value === 0 || !Number.isFinite(value)) return value;
  const [bits, least] = format;
  const unit = 2 ** (Math.max(Math.floor(Math.log2(Math.abs(value))), least) - bits);
  const scaled = value / unit;
  const floor = Math.floor(scaled);
  const part = scaled - floor;
  const up = part > 0.5 || (part === 0.5 && floor % 2 !== 0);
  return (floor + (up ? 1 : 0)) * unit;
}

/** Little-endian elements of any format that weights have; what the format has not is rounded to nearest. */
export function weightBytes(dtype: Dtype, { data }: Pick<Tensor, "data">): Uint8Array {
  const numbers = data.map((value) => rounded(value, dtype));
  if (dtype === "float16") return new Uint8Array(Uint16Array.from(numbers, halfBits).buffer);
  // The upper half of single precision.
  if (dtype === "bfloat16") return new Uint8Array(Float32Array.from(numbers).buffer).filter((_, at) => at % 4 >= 2);
  return encodeElements(dtype, data);
}

/** IEEE 754 binary16 of a number that it has. */
function halfBits(value: number): number {
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const size = Math.abs(value);
  if (size < 2 ** -14) return sign + size * 2 ** 24;
  const exponent = Math.floor(Math.log2(size));
  return sign + (exponent + 15) * 1024 + (size / 2 ** exponent - 1) * 1024;
}
