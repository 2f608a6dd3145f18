import { describe, expect, it } from "vitest";
import { sizeOf } from "../../../ir/type.ts";
import { numbers } from "../../end-to-end/tiny-model.ts";
import { codesOf } from "../onnx/format/build-model.ts";
import { type Attribute, agreesWithRuntime, type Case, type In, imported, of } from "./one-node.ts";

const domain = "com.microsoft";
const none = undefined;

/** Integers from `least` to `most`, stored in the model. */
function codes(dtype: In["dtype"], shape: readonly number[], [least, most]: readonly [number, number], seed = 7): In {
  const values = numbers(sizeOf(shape), seed, 1).map((x) => Math.round(least + ((x + 1) / 2) * (most - least)));
  return { shape, values, known: true, dtype: dtype! };
}
const scales = (...shape: number[]): In => ({
  shape,
  values: numbers(sizeOf(shape), 3, 0.1).map((x) => 0.01 + Math.abs(x)),
  known: true,
});

const unpack = (inputs: readonly (In | undefined)[], attrs: Case["attrs"] = {}, opset = 21): Case => ({
  op: "DequantizeLinear",
  inputs,
  attrs,
  opset,
});
const linear: readonly Case[] = [
  unpack([codes("uint8", [3, 4], [0, 255]), scales(), codes("uint8", [], [100, 140])]),
  unpack([codes("int8", [3, 4], [-128, 127]), scales(4), codes("int8", [4], [-20, 20])]),
  unpack([codes("int8", [3, 4, 2], [-128, 127]), scales(3)], { axis: 0 }),
  unpack([codes("int8", [3, 4, 2], [-128, 127]), scales(2)], { axis: -1 }, 13),
  unpack([codes("int32", [5], [-1e6, 1e6]), scales()], {}, 13),
  unpack([codes("uint16", [2, 3], [0, 65535]), scales(), codes("uint16", [], [30000, 30001])]),
  unpack([codes("int4", [4, 6], [-8, 7]), scales(2, 6), codes("int4", [2, 6], [-2, 2])], { axis: 0, block_size: 2 }),
  unpack([codes("uint4", [3, 5], [0, 15]), scales(3, 2)], { axis: 1, block_size: 4 }),
  unpack([codes("float8e4m3fn", [4, 4], [0, 126]), scales(), { ...codes("float8e4m3fn", [], [0, 0]) }]),
];
describe("DequantizeLinear of stored weights", () => agreesWithRuntime(linear));

interface Bits {
  readonly bits?: 2 | 4 | 8;
  readonly inner?: number;
  readonly zero?: (rows: number, count: number, bits: number) => In;
  readonly order?: boolean;
  readonly bias?: boolean;
  readonly attrs?: Readonly<Record<string, Attribute>>;
}

function product({ bits = 4, inner = 48, zero, order, bias, attrs }: Bits): Case {
  const [outer, size] = [6, 16];
  const count = Math.ceil(inner / size);
  const groups: In = {
    shape: [inner],
    values: Array.from({ length: inner }, (_, k) => (k * 7) % count),
    known: true,
    dtype: "int32",
  };
  return {
    op: "MatMulNBits",
    domain,
    inputs: [
      of(2, 3, inner),
      codes("uint8", [outer, count, (size * bits) / 8], [0, 255]),
      scales(outer * count),
      zero?.(outer, count, bits),
      order ? groups : none,
      bias ? { ...of(outer), known: true } : none,
    ],
    attrs: { K: inner, N: outer, bits, block_size: size, ...attrs },
    tolerance: 1e-4,
  };
}
const packedPoints = (rows: number, count: number, bits: number): In =>
  codes("uint8", [rows * Math.ceil((count * bits) / 8)], [0, 255], 9);
const floatPoints = (rows: number, count: number): In => ({
  shape: [rows, count],
  values: numbers(rows * count, 5, 8).map((x) => 8 + x),
  known: true,
});
const products: readonly Case[] = [
  product({}),
  product({ zero: packedPoints }),
  product({ inner: 40, zero: packedPoints }),
  product({ zero: floatPoints }),
  product({ bits: 8 }),
  product({ bits: 8, zero: packedPoints }),
  product({ bits: 2, zero: packedPoints }),
  product({ order: true }),
  product({ bias: true }),
];
describe("MatMulNBits", () => agreesWithRuntime(products));

const table = (data: In, zero?: In): Case => ({
  op: "GatherBlockQuantized",
  domain,
  inputs: [data, { shape: [3], values: [4, 0, 2], dtype: "int64" }, scales(5, 2), zero],
  attrs: { block_size: 16, quantize_axis: 1, gather_axis: 0, ...(data.dtype === "uint8" && { bits: 4 }) },
});
const gathers: readonly Case[] = [
  table(codes("int4", [5, 32], [-8, 7])),
  table(codes("uint4", [5, 32], [0, 15]), codes("uint4", [5, 2], [6, 9])),
  table(codes("uint8", [5, 16], [0, 255])),
];
describe("GatherBlockQuantized", () => agreesWithRuntime(gathers));

describe("what is refused", () => {
  const cases: readonly (readonly [string, Case, string])[] = [
    ["scales of another axis", unpack([codes("int8", [3, 4], [0, 9]), scales(3)]), "MRL0119"],
    [
      "blocks of another size",
      unpack([codes("int8", [4, 6], [0, 9]), scales(2, 6)], { axis: 0, block_size: 4 }),
      "MRL0119",
    ],
    ["3 bits", product({ attrs: { bits: 3 } }), "MRL0119"],
    ["too few bytes", product({ attrs: { N: 7 } }), "MRL0119"],
    ["prepacked weights", product({ attrs: { weight_prepacked: 1 } }), "MRL0119"],
    ["activations", unpack([{ shape: [2, 3], dtype: "int8" }, scales()]), "MRL0401"],
    [
      "weights that are computed",
      { ...product({}), inputs: [of(2, 48), { shape: [6, 3, 8], dtype: "uint8" }, scales(18)] },
      "MRL0401",
    ],
  ];
  it.each(cases)("%s", (_name, each, code) => {
    expect(codesOf(() => imported(each))).toEqual([code]);
  });
});
