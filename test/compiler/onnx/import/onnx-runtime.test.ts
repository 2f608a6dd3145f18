import type { onnx as proto } from "onnx-proto";
import { InferenceSession, Tensor as RuntimeTensor } from "onnxruntime-node";
import { describe, expect, it } from "vitest";
import { decodeModel } from "../../../../compiler/onnx/format/decode-model.ts";
import { importModel } from "../../../../compiler/onnx/import/import-model.ts";
import { type Tensor, tensor } from "../../../../ir/tensor.ts";
import { sizeOf } from "../../../../ir/type.ts";
import { verify } from "../../../../ir/verify.ts";
import { floatInfo, modelBytes, node } from "../format/build-model.ts";
import { runImported, worst } from "./recorded.ts";

type Attributes = Readonly<Record<string, number | readonly number[] | string>>;

/** One operator between float inputs and outputs; other inputs are stored integers. */
interface Case {
  readonly op: string;
  readonly opset: number;
  readonly domain?: string;
  readonly inputs: Readonly<Record<string, readonly number[]>>;
  readonly stored?: Readonly<Record<string, readonly number[]>>;
  readonly attributes?: Attributes;
  readonly outputs?: readonly string[];
}

const int = (value: number) => value as unknown as NonNullable<proto.IAttributeProto["i"]>;

function attributeOf(name: string, value: Attributes[string]): proto.IAttributeProto {
  if (typeof value === "string") return { name, type: 3, s: new TextEncoder().encode(value) };
  if (typeof value !== "number") return { name, type: 7, ints: value.map(int) };
  return Number.isInteger(value) ? { name, type: 2, i: int(value) } : { name, type: 1, f: value };
}

function modelOf({ op, opset, domain = "", inputs, stored = {}, attributes = {}, outputs = ["y"] }: Case): Uint8Array {
  const names = [...Object.keys(inputs), ...Object.keys(stored)];
  const graph = {
    name: "g",
    input: Object.entries(inputs).map(([name, shape]) => floatInfo(name, ...shape)),
    output: outputs.filter(Boolean).map((name) => ({ name, type: { tensorType: { elemType: 1 } } })),
    initializer: Object.entries(stored).map(([name, values]) => {
      return { name, dims: [values.length], dataType: 7, int64Data: [...values] };
    }),
    node: [
      {
        ...node(op, names, [...outputs], "/op"),
        domain,
        attribute: Object.entries(attributes).map(([name, value]) => attributeOf(name, value)),
      },
    ],
  };
  const opsetImport = [
    { domain: "", version: opset },
    { domain: "com.microsoft", version: 1 },
  ];
  return modelBytes(graph, { opsetImport });
}

/** Deterministic numbers in [−2, 2]. */
const numbers = (shape: readonly number[], salt: number): Tensor =>
  tensor(
    shape,
    Float64Array.from({ length: sizeOf(shape) }, (_, at) => Math.fround(2 * Math.sin((at + 1) * (salt + 1.7)))),
  );

const rows = { x: [2, 3, 4] };
const microsoft = "com.microsoft";
const cases: Readonly<Record<string, Case>> = {
  "softmax over joined axes": { op: "Softmax", opset: 11, inputs: rows, attributes: { axis: 1 } },
  "softmax with the old default": { op: "Softmax", opset: 11, inputs: rows },
  "softmax of one axis": { op: "Softmax", opset: 13, inputs: rows, attributes: { axis: 1 } },
  "squeeze by attribute": { op: "Squeeze", opset: 11, inputs: { x: [1, 3, 1] }, attributes: { axes: [0, -1] } },
  "squeeze all": { op: "Squeeze", opset: 13, inputs: { x: [1, 3, 1] } },
  "unsqueeze by attribute": { op: "Unsqueeze", opset: 11, inputs: rows, attributes: { axes: [0, -1] } },
  "unsqueeze by input": { op: "Unsqueeze", opset: 13, inputs: rows, stored: { axes: [1, 4] } },
  "slice by attributes": {
    op: "Slice",
    opset: 9,
    inputs: rows,
    attributes: { starts: [0, -3], ends: [2, 9], axes: [1, 2] },
  },
  "slice backwards": {
    op: "Slice",
    opset: 13,
    inputs: rows,
    stored: { starts: [-1, 3], ends: [-9, 0], axes: [1, -1], steps: [-1, -2] },
  },
  "slice of nothing to spare": { op: "Slice", opset: 13, inputs: rows, stored: { s: [1], e: [99], a: [0] } },
  "clip by attributes": { op: "Clip", opset: 6, inputs: rows, attributes: { min: -0.5, max: 0.75 } },
  "sum by attribute": { op: "ReduceSum", opset: 11, inputs: rows, attributes: { axes: [-1, 0], keepdims: 0 } },
  "sum by input": { op: "ReduceSum", opset: 13, inputs: rows, stored: { axes: [1] } },
  "mean over all": { op: "ReduceMean", opset: 13, inputs: rows },
  "sum over none": { op: "ReduceSum", opset: 13, inputs: rows, attributes: { noop_with_empty_axes: 1 } },
  "gemm, all options": {
    op: "Gemm",
    opset: 13,
    inputs: { a: [3, 2], b: [4, 3], c: [4] },
    attributes: { transA: 1, transB: 1, alpha: 0.5, beta: -1.5 },
  },
  "matmul of vectors": { op: "MatMul", opset: 13, inputs: { a: [3], b: [3] } },
  "matmul of a batch and a vector": { op: "MatMul", opset: 13, inputs: { a: [2, 4, 3], b: [3] } },
  "matmul of a vector and a batch": { op: "MatMul", opset: 13, inputs: { a: [3], b: [2, 3, 4] } },
  "split by attribute": {
    op: "Split",
    opset: 11,
    inputs: rows,
    attributes: { axis: 2, split: [1, 3] },
    outputs: ["y", "z"],
  },
  "split unevenly": {
    op: "Split",
    opset: 18,
    inputs: { x: [7, 2] },
    attributes: { num_outputs: 3 },
    outputs: ["y", "z", "w"],
  },
  "reshape with 0 and −1": { op: "Reshape", opset: 13, inputs: rows, stored: { shape: [0, -1] } },
  "flatten from the end": { op: "Flatten", opset: 13, inputs: rows, attributes: { axis: -1 } },
  "gather from the end": { op: "Gather", opset: 13, inputs: rows, stored: { i: [-1, 0] }, attributes: { axis: 1 } },
  "transpose without perm": { op: "Transpose", opset: 13, inputs: rows },
  "leaky relu": { op: "LeakyRelu", opset: 13, inputs: rows, attributes: { alpha: 0.25 } },
  prelu: { op: "PRelu", opset: 13, inputs: { x: [2, 3, 4], slope: [4] } },
  "maximum of three": { op: "Max", opset: 13, inputs: { a: [3], b: [2, 3], c: [1] } },
  "layer norm over two axes": {
    op: "LayerNormalization",
    opset: 17,
    inputs: { x: [2, 3, 4], g: [3, 4], b: [3, 4] },
    attributes: { axis: 1, epsilon: 0.001 },
  },
  "ONNX Runtime's rms norm": {
    op: "SimplifiedLayerNormalization",
    opset: 17,
    inputs: { x: [2, 3, 4], g: [4] },
    attributes: { epsilon: 0.001 },
  },
  "skip layer norm": {
    op: "SkipLayerNormalization",
    domain: microsoft,
    opset: 17,
    inputs: { x: [2, 3, 4], s: [2, 3, 4], g: [4], b: [4], bias: [4] },
    attributes: { epsilon: 0.001 },
    outputs: ["y", "", "", "sum"],
  },
  "skip rms norm": {
    op: "SkipSimplifiedLayerNormalization",
    domain: microsoft,
    opset: 17,
    inputs: { x: [2, 3, 4], s: [2, 3, 4], g: [4] },
    attributes: { epsilon: 0.001 },
    outputs: ["y", "", "", "sum"],
  },
  "bias gelu": { op: "BiasGelu", domain: microsoft, opset: 17, inputs: { x: [2, 4], b: [4] } },
  "fast gelu": { op: "FastGelu", domain: microsoft, opset: 17, inputs: { x: [2, 4], b: [4] } },
  "quick gelu": { op: "QuickGelu", domain: microsoft, opset: 17, inputs: { x: [2, 4] } },
};

describe("importModel against ONNX Runtime", () => {
  it.each(Object.entries(cases))("%s", async (_, given) => {
    const bytes = modelOf(given);
    const values = new Map(Object.entries(given.inputs).map(([name, shape], at) => [name, numbers(shape, at)]));
    const feeds = Object.fromEntries(
      [...values].map(([name, { shape, data }]) => [
        name,
        new RuntimeTensor("float32", Float32Array.from(data), shape),
      ]),
    );
    const session = await InferenceSession.create(bytes);
    const expected = await session.run(feeds);
    const imported = importModel(decodeModel(bytes, "m.onnx"));
    expect(verify(imported.module)).toEqual([]);
    const found = runImported(imported, values);
    for (const [name, value] of Object.entries(expected)) {
      const data = Float64Array.from(value.data as Float32Array);
      expect(worst(found.get(name)!, { shape: value.dims, data }), name).toBeLessThan(1e-5);
    }
  });
});
