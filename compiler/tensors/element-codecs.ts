import { fail } from "../../ir/diagnostic.ts";
import { sizeOf } from "../../ir/type.ts";
import { type Dtype, itemSizes } from "./dtype.ts";

/** From here on a double does not hold every integer. */
export const integerLimit = 2 ** 53;

const int64Max = 2n ** 63n - 1n;

/**
 * An int64 as a number; undefined when a double cannot hold it. Exporters write INT64_MAX, INT64_MIN and -INT64_MAX for
 * "to the end" in Slice. They become ±2^53, which is no safe integer, so `int64Of` can restore them.
 */
export function safeIntegerOf(value: bigint): number | undefined {
  if (value === int64Max) return integerLimit;
  if (value <= -int64Max) return -integerLimit;
  return value > -BigInt(integerLimit) && value < BigInt(integerLimit) ? Number(value) : undefined;
}

/** The inverse of `safeIntegerOf`, except that INT64_MIN returns as -INT64_MAX: Slice treats both alike. */
export function int64Of(value: number): bigint {
  if (value >= integerLimit) return int64Max;
  if (value <= -integerLimit) return -int64Max;
  return BigInt(value);
}

/**
 * Typed arrays need aligned memory, and files do not guarantee it. Every Node platform that runs WebAssembly is
 * little-endian.
 */
function alignedBuffer(bytes: Uint8Array, itemSize: number): ArrayBufferLike {
  if (bytes.byteOffset % itemSize === 0 && bytes.byteLength === bytes.buffer.byteLength) return bytes.buffer;
  return new Uint8Array(bytes).buffer;
}

type ElementDecoder = (bytes: Uint8Array) => ArrayLike<number>;
const elementDecoders: Readonly<Record<Exclude<Dtype, "int64" | "uint64" | "bool">, ElementDecoder>> = {
  float32: (bytes) => new Float32Array(alignedBuffer(bytes, 4)),
  float64: (bytes) => new Float64Array(alignedBuffer(bytes, 8)),
  float16: (bytes) => mapElements(new Uint16Array(alignedBuffer(bytes, 2)), float16Of),
  bfloat16: (bytes) => {
    const halves = new Uint16Array(alignedBuffer(bytes, 2));
    const words = new Uint32Array(halves.length);
    // A bfloat16 is the upper half of a float32.
    for (let index = 0; index < halves.length; index++) words[index] = halves[index]! << 16;
    return new Float32Array(words.buffer);
  },
  int8: (bytes) => new Int8Array(alignedBuffer(bytes, 1)),
  int16: (bytes) => new Int16Array(alignedBuffer(bytes, 2)),
  int32: (bytes) => new Int32Array(alignedBuffer(bytes, 4)),
  uint8: (bytes) => bytes,
  uint16: (bytes) => new Uint16Array(alignedBuffer(bytes, 2)),
  uint32: (bytes) => new Uint32Array(alignedBuffer(bytes, 4)),
};

/** TypedArray.from walks an iterator, twenty times slower on weights. */
function mapElements(values: ArrayLike<number>, map: (value: number) => number): Float64Array {
  const out = new Float64Array(values.length);
  for (let index = 0; index < out.length; index++) out[index] = map(values[index]!);
  return out;
}

function float16Of(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** Decodes little-endian elements. `at` names them in the error for an integer that no double holds (MRL0118). */
export function decodeElements(dtype: Dtype, bytes: Uint8Array, at: string): Float64Array {
  if (dtype === "bool") return mapElements(bytes, (byte) => (byte ? 1 : 0));
  if (dtype !== "int64" && dtype !== "uint64") {
    // Copies doubles too: the result must not share memory with the file.
    return new Float64Array(elementDecoders[dtype](bytes));
  }
  const words =
    dtype === "int64" ? new BigInt64Array(alignedBuffer(bytes, 8)) : new BigUint64Array(alignedBuffer(bytes, 8));
  const out = new Float64Array(words.length);
  for (let index = 0; index < words.length; index++) {
    const value = safeIntegerOf(words[index]!);
    if (value === undefined) {
      fail({
        code: "MRL0118",
        message: `element ${index} is the integer ${words[index]}; the compiler supports integers below 2^53`,
        at,
      });
    }
    out[index] = value;
  }
  return out;
}

type ElementEncoder = (data: Float64Array) => ArrayBufferView;
const elementEncoders: Readonly<Record<Exclude<Dtype, "float16" | "bfloat16">, ElementEncoder>> = {
  float32: (data) => new Float32Array(data),
  float64: (data) => data.slice(),
  int8: (data) => new Int8Array(data),
  int16: (data) => new Int16Array(data),
  int32: (data) => new Int32Array(data),
  int64: (data) => BigInt64Array.from(Array.from(data, int64Of)),
  uint8: (data) => new Uint8Array(data),
  uint16: (data) => new Uint16Array(data),
  uint32: (data) => new Uint32Array(data),
  uint64: (data) => BigUint64Array.from(Array.from(data, BigInt)),
  bool: (data) => Uint8Array.from(data, (value) => (value ? 1 : 0)),
};

/** Encodes numbers as little-endian elements. float32 rounds to nearest; integers must fit. */
export function encodeElements(dtype: Exclude<Dtype, "float16" | "bfloat16">, data: Float64Array): Uint8Array {
  const view = elementEncoders[dtype](data);
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}

export function byteLengthOf(dtype: Dtype, dims: readonly number[]): number {
  return sizeOf(dims) * itemSizes[dtype];
}
