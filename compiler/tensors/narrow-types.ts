import type { Dtype } from "./dtype.ts";

/**
 * Element types below one byte, and floats of one byte. The compiler reads them as the smallest wider type that holds
 * every element. Nothing is lost, and the rest of the compiler needs no further types.
 */
export interface NarrowType {
  /** The name in the ONNX standard. */
  readonly name: string;
  /** TensorProto.DataType. */
  readonly number: number;
  readonly bits: 2 | 4 | 8;
  /** The type that it is read as. */
  readonly widened: Extract<Dtype, "int8" | "uint8" | "float32">;
  /** The value of each code. */
  readonly values: Float64Array;
  /** Rounds a number to this type. For a float, `saturate` maps a number beyond the range to the largest one. */
  readonly round: (x: number, saturate: boolean) => number;
}

function integerType(name: string, number: number, bits: 2 | 4, signed: boolean): NarrowType {
  const count = 2 ** bits;
  const wrapped = (x: number): number => {
    const low = ((Math.trunc(x) % count) + count) % count;
    return signed && low >= count / 2 ? low - count : low;
  };
  const values = Float64Array.from({ length: count }, (_, code) => wrapped(code));
  return { name, number, bits, widened: signed ? "int8" : "uint8", values, round: wrapped };
}

interface FloatFormat {
  readonly bits: 4 | 8;
  readonly mantissa: number;
  readonly bias: number;
  /** Codes, without the sign, of the non-finite values. */
  readonly infinity?: number;
  readonly isNan: (code: number) => boolean;
}

/** Sign, exponent, mantissa. Micikevicius et al., FP8 Formats for Deep Learning, 2022; the FNUZ ones have no −0. */
function decodeFloat(code: number, { bits, mantissa, bias, infinity, isNan }: FloatFormat): number {
  if (isNan(code)) return Number.NaN;
  const half = 2 ** (bits - 1);
  const [sign, rest] = code >= half ? [-1, code - half] : [1, code];
  if (rest === infinity) return sign * Number.POSITIVE_INFINITY;
  const [exponent, fraction] = [Math.floor(rest / 2 ** mantissa), rest % 2 ** mantissa];
  const significand = fraction / 2 ** mantissa + (exponent === 0 ? 0 : 1);
  return sign * significand * 2 ** (Math.max(exponent, 1) - bias);
}

/**
 * Rounds to nearest, ties to the even code. A number beyond the largest becomes the largest, infinity, or NaN where the
 * type has no infinity.
 */
function floatType(name: string, number: number, format: FloatFormat): NarrowType {
  const values = Float64Array.from({ length: 2 ** format.bits }, (_, code) => decodeFloat(code, format));
  const steps = Array.from(values.subarray(0, 2 ** (format.bits - 1))).filter(Number.isFinite);
  const most = steps.at(-1)!;
  const beyond = most + (most - steps.at(-2)!) / 2;
  const over = format.infinity === undefined ? Number.NaN : Number.POSITIVE_INFINITY;
  const nearest = (size: number): number => {
    const above = steps.findIndex((step) => step >= size);
    if (above <= 0) return above === 0 ? 0 : most;
    const [low, high] = [steps[above - 1]!, steps[above]!];
    const middle = (low + high) / 2;
    return size === middle ? steps[above - (above % 2)]! : size < middle ? low : high;
  };
  const round = (x: number, saturate: boolean): number => {
    if (Number.isNaN(x)) return x;
    const size = Math.abs(x);
    const found = size < beyond ? nearest(size) : saturate || format.bits === 4 ? most : over;
    return x < 0 ? -found : found;
  };
  return { name, number, bits: format.bits, widened: "float32", values, round };
}

/** Powers of two from 2^−127 on, and NaN: scales of blocks. OCP Microscaling Formats (MX), revision 1.0, 5.4.1. */
const e8m0: NarrowType = {
  name: "FLOAT8E8M0",
  number: 24,
  bits: 8,
  widened: "float32",
  values: Float64Array.from({ length: 256 }, (_, code) => (code === 255 ? Number.NaN : 2 ** (code - 127))),
  round: () => {
    throw new Error("a cast to FLOAT8E8M0, whose rounding the node chooses: store the scales in their own type");
  },
};

const noNan = (): boolean => false;
const onlyNan = (code: number): boolean => code === 0x80;

const narrowTypes: readonly NarrowType[] = [
  integerType("UINT4", 21, 4, false),
  integerType("INT4", 22, 4, true),
  integerType("UINT2", 25, 2, false),
  integerType("INT2", 26, 2, true),
  floatType("FLOAT8E4M3FN", 17, { bits: 8, mantissa: 3, bias: 7, isNan: (code) => code % 0x80 === 0x7f }),
  floatType("FLOAT8E4M3FNUZ", 18, { bits: 8, mantissa: 3, bias: 8, isNan: onlyNan }),
  floatType("FLOAT8E5M2", 19, { bits: 8, mantissa: 2, bias: 15, infinity: 0x7c, isNan: (code) => code % 0x80 > 0x7c }),
  floatType("FLOAT8E5M2FNUZ", 20, { bits: 8, mantissa: 2, bias: 16, isNan: onlyNan }),
  e8m0,
  floatType("FLOAT4E2M1", 23, { bits: 4, mantissa: 1, bias: 1, isNan: noNan }),
];
const byNumber = new Map(narrowTypes.map((type) => [type.number, type]));

export const narrowTypeOf = (onnxNumber: number): NarrowType | undefined => byNumber.get(onnxNumber);

/** The number of bytes of `count` elements: elements are packed, and the last byte is padded. */
export const packedLength = ({ bits }: NarrowType, count: number): number => Math.ceil((count * bits) / 8);

/** Widens packed elements, the first in the lowest bits, to bytes of the wide type. */
export function widenElements(
  { bits, widened: wide, values }: NarrowType,
  bytes: Uint8Array,
  count: number,
): Uint8Array {
  const perByte = 8 / bits;
  const elements = Float64Array.from({ length: count }, (_, at) => {
    const byte = bytes[Math.floor(at / perByte)]!;
    return values[Math.floor(byte / 2 ** (bits * (at % perByte))) % 2 ** bits]!;
  });
  const view = wide === "float32" ? new Float32Array(elements) : Int8Array.from(elements);
  return new Uint8Array(view.buffer);
}
