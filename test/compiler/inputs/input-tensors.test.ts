import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { crc32, deflateRawSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readInputTensors, readJsonTensors } from "../../../compiler/inputs/input-tensors.ts";
import { itemSizes } from "../../../compiler/tensors/dtype.ts";
import { type NpyDtype, readNpy, writeNpy } from "../../../compiler/tensors/npy.ts";
import { readNpz, writeNpz } from "../../../compiler/tensors/npz.ts";
import { models } from "../../harness/fixtures.ts";
import { codesOf } from "../onnx/format/build-model.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "marillc-inputs-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

const typed = (dtype: NpyDtype, shape: number[], values: number[]) => ({
  dtype,
  tensor: { shape, data: Float64Array.from(values) },
});
const samples = [
  typed("float32", [2, 3], [1, 2, 3, 4, 5, 0.5]),
  typed("float64", [], [Math.PI]),
  typed("int64", [3], [-1, 0, 2 ** 53 - 1]),
  typed("uint8", [2], [0, 255]),
  typed("int16", [1, 1], [-32768]),
  typed("bool", [3], [1, 0, 1]),
  typed("float32", [0, 2], []),
];

function npy(header: string, data: number[]): Uint8Array {
  const text = `${header.padEnd(117)}\n`;
  return Uint8Array.from([0x93, ...Buffer.from("NUMPY"), 1, 0, 118, 0, ...Buffer.from(text), ...data]);
}

describe("npy", () => {
  it.each(samples)("is read back as written: $dtype $tensor.shape", (sample) => {
    const bytes = writeNpy(sample);
    expect(readNpy(bytes, "x.npy")).toEqual(sample);
    expect((bytes.length - sample.tensor.data.length * itemSizes[sample.dtype]) % 64).toBe(0);
  });

  it("reads column-major arrays", () => {
    const header = "{'descr': '|u1', 'fortran_order': True, 'shape': (2, 3), }";
    expect([...readNpy(npy(header, [1, 4, 2, 5, 3, 6]), "x").tensor.data]).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it.each([
    ["no magic", new Uint8Array(20)],
    ["objects", npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", [0])],
    ["big-endian", npy("{'descr': '>f4', 'fortran_order': False, 'shape': (1,), }", [0, 0, 0, 0])],
    ["too little data", npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", [0, 0, 0, 0])],
    [
      "shapes beyond all bounds",
      npy("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999, 99999999999), }", []),
    ],
    ["structures", npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }", [0, 0, 0, 0])],
  ])("refuses %s", (_, bytes) => {
    expect(codesOf(() => readNpy(bytes, "x.npy"))).toEqual(["MRL0150"]);
  });
});

describe("npz", () => {
  const arrays = new Map(samples.map((sample, index) => [index === 0 ? "__proto__" : `x${index}`, sample]));

  it("is read back as written, and the same arrays give the same bytes", () => {
    const bytes = writeNpz(arrays);
    expect(readNpz(bytes, "x.npz")).toEqual(arrays);
    expect(writeNpz(arrays)).toEqual(bytes);
  });

  it("reads deflated entries", () => {
    const data = writeNpy(samples[0]!);
    const packed = deflateRawSync(data);
    const stored = writeNpz(new Map([["x", samples[0]!]]));
    const local = Buffer.from(stored.subarray(0, 30 + 5));
    const central = Buffer.from(stored.subarray(30 + 5 + data.length, stored.length - 22));
    const end = Buffer.from(stored.subarray(stored.length - 22));
    for (const [header, at] of [
      [local, 8],
      [central, 10],
    ] as const) {
      header.writeUInt16LE(8, at);
      header.writeUInt32LE(packed.length, at + 10);
    }
    end.writeUInt32LE(local.length + packed.length, 16);
    expect(crc32(data)).toBe(local.readUInt32LE(14));
    const bytes = Uint8Array.from(Buffer.concat([local, packed, central, end]));
    expect(readNpz(bytes, "x.npz").get("x")).toEqual(samples[0]);
    bytes[local.length + 3]! ^= 0xff;
    expect(codesOf(() => readNpz(bytes, "x.npz"))).toEqual(["MRL0151"]);
  });

  it("refuses or reads a file that is truncated or changed in any byte, and never crashes", () => {
    const bytes = writeNpz(new Map([...arrays].slice(0, 2)));
    for (let at = 0; at < bytes.length; at++) {
      expect(codesOf(() => readNpz(bytes.subarray(0, at), "x.npz"))).toEqual(["MRL0151"]);
      const changed = bytes.slice();
      changed[at]! ^= 0xff;
      codesOf(() => readNpz(changed, "x.npz"));
    }
  });
});

describe("readInputs", () => {
  const json = (value: unknown) => readJsonTensors(new TextEncoder().encode(JSON.stringify(value)), "x.json");

  it("reads JSON", () => {
    const ids = { dtype: "int64", shape: [1, 2], data: [3, 4] };
    expect(
      json({
        x: [
          [1, 2],
          [3, 4],
        ],
        ids,
        flag: { dtype: "bool", data: [true] },
      }),
    ).toEqual(
      new Map([
        ["x", typed("float32", [2, 2], [1, 2, 3, 4])],
        ["ids", typed("int64", [1, 2], [3, 4])],
        ["flag", typed("bool", [1], [1])],
      ]),
    );
  });

  it.each([
    [[1]],
    [{ x: [[1], [1, 2]] }],
    [{ x: ["1"] }],
    [{ x: [1, [2]] }],
    [{ x: { dtype: "int8", data: [200] } }],
    [{ x: { dtype: "int64", data: [0.5] } }],
    [{ x: { dtype: "quaternion", data: [1] } }],
    [{ x: { shape: [3], data: [1] } }],
    [{ x: { shape: "3", data: [1] } }],
  ])("refuses %j", (value) => {
    expect(codesOf(() => json(value))).toEqual(["MRL0152"]);
  });

  it("chooses the format by the file extension", () => {
    const save = (name: string, bytes: Uint8Array) => {
      writeFileSync(join(folder, name), bytes);
      return join(folder, name);
    };
    expect(readInputTensors(save("x.npy", writeNpy(samples[0]!)))).toEqual(new Map([["", samples[0]]]));
    expect(readInputTensors(save("x.npz", writeNpz(new Map([["y", samples[1]!]]))))).toEqual(
      new Map([["y", samples[1]]]),
    );
    expect(codesOf(() => readInputTensors(save("x.txt", new Uint8Array())))).toEqual(["MRL0153"]);
    expect(codesOf(() => readInputTensors(join(folder, "none.npy")))).toEqual(["MRL0101"]);
  });
});

describe("readInputs on ONNX test data", () => {
  it("reads a TensorProto", () => {
    const file = join(models, "dev_llama_ts17_static/test_data_set_0/input_0.pb");
    expect(readFileSync(file).length).toBeGreaterThan(0);
    const [[name, { dtype, tensor }]] = [...readInputTensors(file)] as [[string, ReturnType<typeof typed>]];
    expect([name, dtype, tensor.shape]).toEqual(["input_ids", "int64", [1, 6]]);
  });
});

it.each([
  ["uint8", -1],
  ["uint8", 256],
  ["int8", 128],
  ["int8", -129],
  ["bool", 2],
  ["int64", 0.5],
])("a JSON tensor of %s refuses %d", (dtype, value) => {
  const text = new TextEncoder().encode(JSON.stringify({ x: { dtype, data: [value] } }));
  expect(codesOf(() => readJsonTensors(text, "x.json"))).toEqual(["MRL0152"]);
});
