import {
  type ConstantValue,
  type InputValue,
  type Kernel,
  type Lane,
  type OperatorName,
  type OperatorValue,
  wordsOf,
} from "./language.ts";
import { countUp, type FunctionBody, local, scalar, vectors } from "./wasm-bytes.ts";

/** Elements that the loop of a kernel takes at a time: a vector of u32, two of the other lanes. */
export const groupSize = 4;

/** Where a kernel finds and leaves its tile: byte addresses, of areas that hold a whole number of groups. */
export interface TileLayout {
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
}

/**
 * A kernel as a function of WebAssembly SIMD, run(bytes): for the elements of u32 areas of that many bytes, and twice as
 * many in areas of u64 and f64. Straight-line code for each group of elements.
 */
export function encodeKernel(kernel: Kernel, layout: TileLayout): FunctionBody {
  // Parameter 0 is the limit; local 1 counts bytes of u32, local 2 of u64; vectors follow.
  const [limit, at, atWide, first] = [0, 1, 2, 3];
  const locals: number[] = [];
  let next = first;
  for (const { lane } of kernel.values) {
    locals.push(next);
    next += wordsOf(lane);
  }
  const position = (lane: Lane): number[] => local.get(lane === "u32" ? at : atWide);
  const before: number[] = [];
  const body: number[] = [];
  kernel.values.forEach((value, k) => {
    for (let half = 0; half < wordsOf(value.lane); half++) {
      const code =
        value.kind === "operator"
          ? operatorCode(value, half, (arg, which) => local.get(locals[value.args[arg]!]! + which))
          : value.kind === "each"
            ? [...position(value.lane), ...vectors.load(layout.inputs[value.index]! + 16 * half)]
            : sameForAll(value, layout);
      (value.kind === "operator" || value.kind === "each" ? body : before).push(
        ...code,
        ...local.set(locals[k]! + half),
      );
    }
  });
  kernel.outputs.forEach((index, k) => {
    const { lane } = kernel.values[index]!;
    for (let half = 0; half < wordsOf(lane); half++) {
      body.push(
        ...position(lane),
        ...local.get(locals[index]! + half),
        ...vectors.store(layout.outputs[k]! + 16 * half),
      );
    }
  });
  const wide = [...local.get(atWide), ...scalar.i32(32), scalar.addI32, ...local.set(atWide)];
  return {
    ...{ name: "run", parameters: 1, locals: { i32: 2, v128: next - first } },
    code: [...before, ...countUp(at, limit, 16, [...body, ...wide])],
  };
}

function sameForAll(value: InputValue | ConstantValue, layout: TileLayout): number[] {
  if (value.kind === "constant") {
    const { low, high } = value;
    return vectors.constant(value.lane === "u32" ? [low, low, low, low] : [low, high, low, high]);
  }
  const address = layout.inputs[value.index]!;
  return [...scalar.i32(0), ...(value.lane === "u32" ? vectors.splat32(address) : vectors.splat64(address))];
}

/** The bytes of a vector whose upper half is the lower one of the next. */
const upperHalf = [8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15];
/** The low words of two vectors of u64. */
const lowWords = [0, 8, 16, 24].flatMap((byte) => [byte, byte + 1, byte + 2, byte + 3]);

/** 2^51 + 2^52: a double at which the unit in the last place is 1, on both sides. */
const integerBias = 2 ** 51 + 2 ** 52;
const biasWords = [...new Uint32Array(Float64Array.of(integerBias, integerBias).buffer)];

type Read = (arg: number, half: number) => number[];
type Code = (value: OperatorValue, half: number, read: Read) => number[];

const both = ({ lane }: OperatorValue): "i32x4" | "i64x2" | "f64x2" =>
  lane === "u32" ? "i32x4" : lane === "u64" ? "i64x2" : "f64x2";

const arithmetic =
  (name: "add" | "sub" | "mul"): Code =>
  (value, half, read) => [...read(0, half), ...read(1, half), ...vectors[both(value)][name]];
const bitwise =
  (name: "and" | "or" | "xor"): Code =>
  (_, half, read) => [...read(0, half), ...read(1, half), ...vectors[name]];
const shift =
  (name: "shl" | "shr" | "sar"): Code =>
  ({ lane, by }, half, read) => [
    ...read(0, half),
    ...scalar.i32(by),
    ...vectors[lane === "u32" ? "i32x4" : "i64x2"][name],
  ];

/** One half of an operator's result, on the stack. */
const codes: Readonly<Record<OperatorName, Code>> = {
  add: arithmetic("add"),
  sub: arithmetic("sub"),
  mul: arithmetic("mul"),
  and: bitwise("and"),
  or: bitwise("or"),
  xor: bitwise("xor"),
  shl: shift("shl"),
  shr: shift("shr"),
  sar: shift("sar"),
  // x + 127 in the exponent of a float is 2^x.
  power: (_, half, read) => [
    ...[...read(0, half), ...scalar.i32(23), ...vectors.i32x4.shl],
    ...[...vectors.constant(Array(4).fill(127 * 2 ** 23)), ...vectors.i32x4.add, ...vectors.truncateFloats],
  ],
  widen: (_, half, read) => [...read(0, 0), ...(half === 0 ? vectors.i64x2.extendLow : vectors.i64x2.extendHigh)],
  low: (_, _half, read) => [...read(0, 0), ...read(0, 1), ...vectors.shuffle(lowWords)],
  float: (_, half, read) => [
    ...read(0, 0),
    ...(half === 0 ? [] : [...read(0, 0), ...vectors.shuffle(upperHalf)]),
    ...vectors.f64x2.convertLow,
  ],
  floor: (_, half, read) => [...read(0, half), ...vectors.f64x2.floor],
  integer: (_, half, read) => [
    ...[...read(0, half), ...vectors.constant(biasWords), ...vectors.f64x2.add],
    ...[...vectors.constant(biasWords), ...vectors.i64x2.sub],
  ],
  double: (_, half, read) => read(0, half),
};

const operatorCode: Code = (value, half, read) => codes[value.name](value, half, read);
