import { readFileSync } from "node:fs";
import { join } from "node:path";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { describe, expect, it } from "vitest";
import { decodeModel, decodeTensorFile } from "../../../../compiler/onnx/format/decode-model.ts";
import type { BoundaryType } from "../../../../compiler/onnx/format/extract-subgraph.ts";
import { extractSubgraph } from "../../../../compiler/onnx/format/extract-subgraph.ts";
import { readTensor } from "../../../../compiler/onnx/format/read-tensor.ts";
import { readModel } from "../../../../compiler/onnx/normalize/read-model.ts";
import { models } from "../../../harness/fixtures.ts";
import { codesOf, floatInfo, modelBytes, node, smallModel } from "./build-model.ts";

const floats = (...dims: number[]): BoundaryType => ({ dtype: "float32", dims });

describe("extractSubgraph", () => {
  it("keeps what the outputs need and nested graphs, and is deterministic", async () => {
    const model = decodeModel(smallModel(), "small.onnx");
    const options = { name: "head", types: new Map([["s", floats(2)]]) };
    const head = extractSubgraph(model, ["s"], ["y"], options);
    expect(extractSubgraph(model, ["s"], ["y"], options)).toEqual(head);
    const { graph } = decodeModel(head, "head.onnx");
    expect(graph.nodes.map((each) => each.op)).toEqual(["If"]);
    expect([...graph.initializers.keys()]).toEqual(["c"]);
    const session = await InferenceSession.create(head);
    const { y } = await session.run({ s: new Tensor("float32", [5, 6], [2]) });
    expect([...(y!.data as Float32Array)]).toEqual([6, 7]);
  });

  it("writes sentinels of Slice back as int64 extremes", async () => {
    const rawData = new Uint8Array(BigInt64Array.of(2n ** 63n - 1n).buffer);
    const int64s = (name: string, value: number) => ({ name, dims: [1], dataType: 7, int64Data: [value] });
    const initializer = [int64s("from", 1), { name: "to", dims: [1], dataType: 7, rawData }];
    const graph = { name: "g", input: [floatInfo("x", 3)], output: [floatInfo("y", 2)], initializer };
    const attribute = [{ name: "n", type: 2, i: -3 }];
    const slice = node("Slice", ["x", "from", "to"], ["y"]);
    const model = decodeModel(modelBytes({ ...graph, node: [slice] }), "g");
    const copy = extractSubgraph(model, ["x"], ["y"], { name: "copy", types: new Map() });
    const session = await InferenceSession.create(copy);
    const { y } = await session.run({ x: new Tensor("float32", [1, 2, 3], [3]) });
    expect([...(y!.data as Float32Array)]).toEqual([2, 3]);
    const odd = decodeModel(modelBytes({ ...graph, node: [{ ...slice, attribute }] }), "g");
    const again = decodeModel(extractSubgraph(odd, ["x"], ["y"], { name: "copy", types: new Map() }), "g");
    expect(again.graph.nodes[0]!.attributes.get("n")).toEqual({ kind: "int", value: -3 });
  });

  it("leaves the width of integer outputs to the reader", async () => {
    const cast = { ...node("Cast", ["x"], ["y"]), attribute: [{ name: "to", type: 2, i: 6 }] };
    const graph = { name: "g", input: [floatInfo("x", 3)], output: [floatInfo("z", 3)] };
    const model = decodeModel(modelBytes({ ...graph, node: [cast, node("Neg", ["y"], ["z"])] }), "g");
    // The compiler knows one type of integers.
    const types = new Map<string, BoundaryType>([["y", { dtype: "int64", dims: [3] }]]);
    const session = await InferenceSession.create(extractSubgraph(model, ["x"], ["y"], { name: "cut", types }));
    const { y } = await session.run({ x: new Tensor("float32", [1.5, -2, 3], [3]) });
    expect([y!.type, ...(y!.data as Int32Array)]).toEqual(["int32", 1, -2, 3]);
  });

  it("names what is missing from a cut", () => {
    const model = decodeModel(smallModel(), "small.onnx");
    const extract = (inputs: string[], outputs: string[]) => () =>
      extractSubgraph(model, inputs, outputs, { name: "cut", types: new Map() });
    expect(codesOf(extract([], ["y", "nothing"]))).toEqual(["MRL0120", "MRL0120"]);
    expect(codesOf(extract(["w"], ["y"]))).toEqual(["MRL0120"]);
    const untyped = modelBytes({ name: "g", input: [{ name: "x" }], node: [node("Abs", ["x"], ["y"])] });
    const typeless = decodeModel(untyped, "g");
    expect(codesOf(() => extractSubgraph(typeless, ["x"], ["y"], { name: "g", types: new Map() }))).toEqual([
      "MRL0121",
    ]);
  });
});

describe("extractSubgraph on a LLaMA", () => {
  it("gives a prefix and a rest that together compute the whole model", async () => {
    const folder = join(models, "dev_llama_ts17_static");
    const model = readModel(join(folder, "model.onnx"));
    const cut = "/m/model/layers.0/Add_1_output_0";
    const tensorOf = (name: string) => {
      const file = join(folder, "test_data_set_0", name);
      return readTensor({ file }, decodeTensorFile(readFileSync(file), file));
    };
    const ids = tensorOf("input_0.pb");
    const mask = tensorOf("input_1.pb");
    const expected = tensorOf("output_0.pb");
    const feed = (data: Float64Array, dims: readonly number[]) =>
      new Tensor("int64", BigInt64Array.from([...data].map(BigInt)), [...dims]);
    const feeds = { input_ids: feed(ids.data, ids.shape), attention_mask: feed(mask.data, mask.shape) };

    const types = new Map([[cut, floats(1, 6, 48)]]);
    const prefix = extractSubgraph(model, ["input_ids", "attention_mask"], [cut], { name: "public", types });
    expect(Buffer.from(prefix).includes("modeling_llama")).toBe(false);
    expect(decodeModel(prefix, "public.onnx").graph.initializers.has("onnx::MatMul_715")).toBe(false);
    const inner = (await (await InferenceSession.create(prefix)).run(feeds))[cut]!;

    const rest = extractSubgraph(model, [cut, "input_ids", "attention_mask"], ["logits"], { name: "head", types });
    const { logits } = await (await InferenceSession.create(rest)).run({ ...feeds, [cut]: inner });
    const worst = Math.max(...(logits!.data as Float32Array).map((value, at) => Math.abs(value - expected.data[at]!)));
    expect(worst).toBeLessThan(1e-5);
  });
});
