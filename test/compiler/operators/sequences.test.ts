import type { onnx as proto } from "onnx-proto";
import { InferenceSession, Tensor as OrtTensor } from "onnxruntime-node";
import { describe, expect, it } from "vitest";
import { decodeModel } from "../../../compiler/onnx/format/decode-model.ts";
import { importModel } from "../../../compiler/onnx/import/import-model.ts";
import { tensor } from "../../../ir/tensor.ts";
import { codesOf, floatInfo, modelBytes, node } from "../onnx/format/build-model.ts";
import { runImported, worst } from "../onnx/import/recorded.ts";

const x = tensor(
  [2, 5, 3],
  Float32Array.from({ length: 30 }, (_, at) => at - 7),
);
const marked = (made: proto.INodeProto, ints: Readonly<Record<string, number>>): proto.INodeProto => ({
  ...made,
  attribute: Object.entries(ints).map(([name, i]) => ({ name, type: 2, i })),
});
const constant = (name: string, dims: number[], values: number[]): proto.INodeProto => ({
  ...node("Constant", [], [name]),
  attribute: [{ name: "value", type: 4, t: { dims, dataType: 7, int64Data: values } }],
});
const stored: readonly proto.ITensorProto[] = [
  { name: "one", dims: [], dataType: 7, int64Data: [1] },
  { name: "last", dims: [], dataType: 7, int64Data: [-1] },
];
const modelOf = (nodes: proto.INodeProto[]): Uint8Array =>
  modelBytes({
    name: "g",
    input: [floatInfo("x", 2, 5, 3)],
    output: [{ name: "y", type: { tensorType: { elemType: 1 } } }],
    initializer: [...stored],
    node: nodes,
  });

const at = (place: string): proto.INodeProto => node("SequenceAt", ["s", place], ["y"]);
const cases: Readonly<Record<string, proto.INodeProto[]>> = {
  "a part of equal ones, the last is smaller": [
    constant("two", [], [2]),
    constant("place", [], [2]),
    marked(node("SplitToSequence", ["x", "two"], ["s"]), { axis: 1 }),
    at("place"),
  ],
  "a part of several sizes, from the end": [
    constant("sizes", [3], [1, 1, 3]),
    marked(node("SplitToSequence", ["x", "sizes"], ["s"]), { axis: -2, keepdims: 0 }),
    at("last"),
  ],
  "one row, its axis kept": [marked(node("SplitToSequence", ["x"], ["s"]), { axis: 1 }), at("one")],
  "one row, its axis dropped": [marked(node("SplitToSequence", ["x"], ["s"]), { axis: 2, keepdims: 0 }), at("one")],
  "a member of a list": [node("Neg", ["x"], ["n"]), node("SequenceConstruct", ["x", "n"], ["s"]), at("last")],
  "a list joined": [
    node("Neg", ["x"], ["n"]),
    node("SequenceConstruct", ["x", "n", "x"], ["s"]),
    marked(node("ConcatFromSequence", ["s"], ["y"]), { axis: 2 }),
  ],
  "a list that grows, joined on a new axis": [
    node("Neg", ["x"], ["n"]),
    node("SequenceEmpty", [], ["s0"]),
    node("SequenceInsert", ["s0", "x"], ["s1"]),
    constant("zero", [], [0]),
    node("SequenceInsert", ["s1", "n", "zero"], ["s"]),
    marked(node("ConcatFromSequence", ["s"], ["y"]), { axis: 1, new_axis: 1 }),
  ],
  "how many": [
    node("SequenceConstruct", ["x", "x", "x"], ["s"]),
    node("SequenceLength", ["s"], ["length"]),
    marked(node("Cast", ["length"], ["real"]), { to: 1 }),
    node("Mul", ["x", "real"], ["y"]),
  ],
};

describe("sequences", () => {
  it.each(Object.entries(cases))("%s equals onnxruntime's result", async (_title, nodes) => {
    const bytes = modelOf(nodes);
    const session = await InferenceSession.create(bytes, { logSeverityLevel: 4 });
    const { y } = await session.run({ x: new OrtTensor("float32", Float32Array.from(x.data), [...x.shape]) });
    await session.release();
    const wanted = tensor(y!.dims, Float64Array.from(y!.data as Float32Array));
    const found = runImported(importModel(decodeModel(bytes, "sequences.onnx")), new Map([["x", x]]));
    expect(worst(found.get("y")!, wanted)).toBe(0);
  });

  it("refuses a member at a computed position, by name", () => {
    const nodes = [
      node("Shape", ["x"], ["shape"]),
      node("ReduceSum", ["shape"], ["place"]),
      node("SequenceConstruct", ["x", "x"], ["s"]),
      at("place"),
    ];
    expect(codesOf(() => importModel(decodeModel(modelOf(nodes), "sequences.onnx")))).toEqual(["MRL0401"]);
  });
});
