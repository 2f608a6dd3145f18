import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { onnx as proto } from "onnx-proto";
import { describe, expect, it } from "vitest";
import { decodeModel } from "../../../compiler/onnx/format/decode-model.ts";
import { readTensor } from "../../../compiler/onnx/format/read-tensor.ts";
import { importModel } from "../../../compiler/onnx/import/import-model.ts";
import { dequantizeInitializers } from "../../../compiler/onnx/normalize/dequantize-initializers.ts";
import { readModel } from "../../../compiler/onnx/normalize/read-model.ts";
import { type NarrowType, narrowTypeOf, packedLength, widenElements } from "../../../compiler/tensors/narrow-types.ts";
import { codesOf, modelBytes, node } from "../onnx/format/build-model.ts";

const numbers = {
  UINT4: 21,
  INT4: 22,
  UINT2: 25,
  INT2: 26,
  FN: 17,
  FNUZ: 18,
  E5M2: 19,
  E5M2FNUZ: 20,
  E2M1: 23,
  E8M0: 24,
} as const;
const type = (name: keyof typeof numbers): NarrowType => narrowTypeOf(numbers[name])!;

describe("narrow types", () => {
  // Powers of two are scales: nothing is rounded to them.
  const rounded = (Object.keys(numbers) as (keyof typeof numbers)[]).filter((name) => name !== "E8M0");
  it.each(rounded)("%s decodes its codes", (name) => {
    const { values, round } = type(name);
    for (const value of values) if (Number.isFinite(value)) expect(Math.abs(round(value, true) - value)).toBe(0);
  });

  // OCP 8-bit Floating Point Specification, revision 1.0, table 1; ONNX, technical details of float8.
  it.each([
    ["FN", 0x38, 1],
    ["FN", 0x7e, 448],
    ["FN", 0x01, 2 ** -9],
    ["FN", 0xff, Number.NaN],
    ["FNUZ", 0x7f, 240],
    ["FNUZ", 0x80, Number.NaN],
    ["E5M2", 0x7b, 57344],
    ["E5M2", 0x01, 2 ** -16],
    ["E5M2", 0xfc, -Infinity],
    ["E5M2FNUZ", 0x7f, 57344],
    ["E2M1", 0x7, 6],
    ["E2M1", 0x9, -0.5],
    ["E8M0", 0, 2 ** -127],
    ["E8M0", 127, 1],
    ["E8M0", 254, 2 ** 127],
    ["E8M0", 255, Number.NaN],
    ["INT4", 0xf, -1],
    ["INT2", 0x2, -2],
  ] as const)("%s: code %i is %d", (name, code, value) => {
    expect(type(name).values[code]).toBe(value);
  });

  it("rounds ties to even, and saturates or gives NaN beyond the largest value", () => {
    const { round } = type("FN");
    // 1 and 1.125 are neighbours, 1.125 has the odd code.
    expect([1.0625, 1.1875, -1.07].map((x) => round(x, true))).toEqual([1, 1.25, -1.125]);
    expect([464, 463.9, Infinity, -1e9].map((x) => round(x, true))).toEqual([448, 448, 448, -448]);
    expect(round(464, false)).toBeNaN();
    expect(type("E5M2").round(-1e9, false)).toBe(-Infinity);
    expect(type("INT4").round(-9.7, true)).toBe(7);
  });

  it("unpacks from the lowest bits", () => {
    const bytes = Uint8Array.of(0x87, 0x0a);
    expect([...new Int8Array(widenElements(type("INT4"), bytes, 3).buffer)]).toEqual([7, -8, -6]);
    expect([...widenElements(type("UINT2"), Uint8Array.of(0b11_10_01_00), 4)]).toEqual([0, 1, 2, 3]);
    expect([packedLength(type("INT4"), 3), packedLength(type("UINT2"), 5), packedLength(type("FN"), 3)]).toEqual([
      2, 2, 3,
    ]);
  });
});

const scalars = { name: "onnx::c", dims: [3], dataType: 22 };
const model = (initializer: proto.ITensorProto, to = 1): Uint8Array =>
  modelBytes({
    name: "g",
    initializer: [initializer],
    output: [{ name: "y" }],
    node: [{ ...node("Cast", ["onnx::c"], ["y"]), attribute: [{ name: "to", type: 2, i: to }] }],
  });

describe("stored tensors of narrow types", () => {
  it("are read as wider ones, from either field", () => {
    for (const data of [{ rawData: Uint8Array.of(0x87, 0x0a) }, { int32Data: [0x87, 0x0a] }]) {
      const decoded = decodeModel(model({ ...scalars, ...data }), "m.onnx");
      const stored = decoded.graph.initializers.get("onnx::c")!;
      expect(stored).toMatchObject({ dtype: "int8", narrow: { name: "INT4" } });
      expect([...readTensor(decoded, stored).data]).toEqual([7, -8, -6]);
      const { weights } = importModel(decoded);
      expect([...[...weights.values()][0]!.data]).toEqual([7, -8, -6]);
    }
  });

  it("are read from external data too", () => {
    const folder = mkdtempSync(join(tmpdir(), "marillc-narrow-"));
    writeFileSync(join(folder, "w.data"), Uint8Array.of(0, 0x87, 0x0a));
    const entries = [
      { key: "location", value: "w.data" },
      { key: "offset", value: "1" },
    ];
    const file = join(folder, "m.onnx");
    writeFileSync(file, model({ ...scalars, dataLocation: 1, externalData: entries }));
    const decoded = readModel(file);
    expect([...readTensor(decoded, decoded.graph.initializers.get("onnx::c")!).data]).toEqual([7, -8, -6]);
    rmSync(folder, { recursive: true });
  });

  it("are unpacked in blocks whose scales are powers of two", () => {
    const bytes = modelBytes(
      {
        name: "g",
        // 1, 6, −0.5, 3 in blocks of two, times 1 and 8.
        initializer: [
          { name: "w", dims: [1, 4], dataType: 23, rawData: Uint8Array.of(0x72, 0x59) },
          { name: "w_scale", dims: [1, 2], dataType: 24, rawData: Uint8Array.of(127, 130) },
        ],
        output: [{ name: "y" }],
        node: [
          {
            ...node("DequantizeLinear", ["w", "w_scale"], ["y"]),
            attribute: Object.entries({ axis: 1, block_size: 2, output_dtype: 1 }).map(([name, i]) => ({
              name,
              type: 2,
              i,
            })),
          },
        ],
      },
      { opsetImport: [{ domain: "", version: 25 }] },
    );
    const { weights } = importModel(dequantizeInitializers(decodeModel(bytes, "m.onnx")));
    expect([...[...weights.values()][0]!.data]).toEqual([1, 6, -4, 24]);
  });

  it("are refused when the data does not fit", () => {
    expect(codesOf(() => decodeModel(model({ ...scalars, rawData: Uint8Array.of(1) }), "m.onnx"))).toEqual(["MRL0114"]);
    const entries = [
      { key: "location", value: "w.data" },
      { key: "length", value: "3" },
    ];
    const outside = { ...scalars, dataLocation: 1, externalData: entries };
    expect(codesOf(() => decodeModel(model(outside), "m.onnx"))).toEqual(["MRL0114"]);
  });

  it("can be the target of a cast of known values, not of secrets", () => {
    const bytes = model({ name: "onnx::c", dims: [2], dataType: 7, int64Data: [9, -3] }, 22);
    const { weights } = importModel(decodeModel(bytes, "m.onnx"));
    expect([...[...weights.values()][0]!.data]).toEqual([-7, -3]);
    const secret = modelBytes({
      name: "g",
      input: [{ name: "x", type: { tensorType: { elemType: 1, shape: { dim: [{ dimValue: 2 }] } } } }],
      output: [{ name: "y" }],
      node: [{ ...node("Cast", ["x"], ["y"]), attribute: [{ name: "to", type: 2, i: 19 }] }],
    });
    expect(codesOf(() => importModel(decodeModel(secret, "m.onnx")))).toEqual(["MRL0404"]);
  });
});
