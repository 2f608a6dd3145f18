import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { decodeModel, decodeTensorFile } from "../../../../compiler/onnx/format/decode-model.ts";
import { readTensor } from "../../../../compiler/onnx/format/read-tensor.ts";
import { readModel } from "../../../../compiler/onnx/normalize/read-model.ts";
import { findNonFinite } from "../../../../compiler/tensors/tensor-ops.ts";
import { foldersOf, models, nodeTests } from "../../../harness/fixtures.ts";
import { codesOf, floatInfo, floatTensor, modelBytes, node, smallModel } from "./build-model.ts";

describe("decodeModel reads what exporters write", () => {
  it.each(foldersOf(models))("%s", (name) => {
    const folder = join(models, name);
    const model = readModel(join(folder, "model.onnx"));
    expect(model.graph.nodes.length).toBeGreaterThan(0);
    expect(model.opsets.get("")).toBeGreaterThanOrEqual(14);
    for (const tensor of model.graph.initializers.values()) {
      expect(findNonFinite(readTensor(model, tensor)), tensor.name).toBeUndefined();
    }
    for (const file of readdirSync(join(folder, "test_data_set_0"))) {
      const tensor = decodeTensorFile(readFileSync(join(folder, "test_data_set_0", file)), file);
      expect(readTensor({ file }, tensor).data.length).toBeGreaterThan(0);
    }
  });

  it("keeps the metadata that onnx-proto drops", () => {
    const { graph } = readModel(join(models, "dev_llama_dy18_static/model.onnx"));
    const folded = graph.valueInfo.get("val_46")!.metadata.get("pkg.onnxscript.optimizer.folded_from");
    expect(folded).toBe("['m.model.layers.0.self_attn.q_proj.weight']");
    expect(graph.nodes[0]!.metadata.get("pkg.torch.onnx.name_scopes")).toContain("m.model");
  });
});

describe("decodeModel on the ONNX node tests", () => {
  it("reads every model, or reports what is not supported", () => {
    const refused = new Map<string, string[]>();
    for (const name of foldersOf(nodeTests)) {
      const codes = codesOf(() => readModel(join(nodeTests, name, "model.onnx")));
      if (codes.length > 0) refused.set(name, codes);
    }
    expect([...refused]).toEqual([]);
  });
});

describe("decodeModel", () => {
  it("gives plain records with nested graphs", () => {
    const model = decodeModel(smallModel(), "small.onnx");
    expect(model).toMatchObject({ irVersion: 8, producer: "", file: "small.onnx" });
    expect(model.graph.nodes.map((each) => each.op)).toEqual(["Add", "If"]);
    const branch = model.graph.nodes[1]!.attributes.get("then_branch");
    expect(branch?.kind === "graph" && branch.value.nodes[0]!.inputs).toEqual(["s", "b1"]);
    expect(readTensor(model, model.graph.initializers.get("w")!)).toEqual({
      shape: [2],
      data: Float64Array.of(1, 2),
    });
  });

  it("takes an operator set that is imported twice in one version as one", () => {
    // skl2onnx 1.20 writes both for every model of one operator.
    const opsetImport = ["ai.onnx.ml", "", "", "ai.onnx"].map((domain) => ({
      domain,
      version: domain === "ai.onnx.ml" ? 1 : 22,
    }));

    const { opsets } = decodeModel(modelBytes({ name: "g" }, { opsetImport }), "twice.onnx");

    expect([...opsets]).toEqual([
      ["ai.onnx.ml", 1],
      ["", 22],
    ]);
  });

  it("refuses two versions of one operator set, and names them", () => {
    const opsetImport = [17, 18].map((version) => ({ domain: "", version }));

    expect(() => decodeModel(modelBytes({ name: "g" }, { opsetImport }), "two.onnx")).toThrow(
      "the operator set ai.onnx is imported in the versions 17 and 18",
    );
  });

  it("sorts nodes that come before their inputs, and keeps the order of those that do not", () => {
    const nodes = [
      node("Neg", ["b"], ["y"], "last"),
      node("Abs", ["x"], ["a"], "first"),
      node("Exp", ["a"], ["b"], "mid"),
    ];
    const graph = { name: "g", node: nodes, input: [floatInfo("x", 1)], output: [floatInfo("y", 1)] };
    const sorted = decodeModel(modelBytes(graph), "g").graph.nodes.map((each) => each.name);
    expect(sorted).toEqual(["first", "mid", "last"]);
  });

  it("clamps the int64 that mean to the end, and refuses the others beyond 2^53", () => {
    const ends = (value: bigint) => {
      const rawData = new Uint8Array(BigInt64Array.of(value).buffer);
      const graph = { name: "g", initializer: [{ name: "e", dims: [1], dataType: 7, rawData }] };
      const model = decodeModel(modelBytes(graph), "g");
      return readTensor(model, model.graph.initializers.get("e")!).data[0];
    };
    expect(ends(2n ** 63n - 1n)).toBe(2 ** 53);
    expect(ends(-(2n ** 63n))).toBe(-(2 ** 53));
    expect(ends(-(2n ** 53n) + 1n)).toBe(-(2 ** 53) + 1);
    expect(codesOf(() => ends(2n ** 53n))).toEqual(["MRL0118"]);
  });

  it.each([
    ["float16", 10, [0x3c00, 0xc000, 0x0001, 0x7c00], [1, -2, 2 ** -24, Number.POSITIVE_INFINITY]],
    ["bfloat16", 16, [0x3f80, 0xc000, 0x4049, 0x7f80], [1, -2, 3.140625, Number.POSITIVE_INFINITY]],
    ["int8", 3, [-128, 127, 0, 1], [-128, 127, 0, 1]],
    ["uint16", 4, [0, 1, 2, 65535], [0, 1, 2, 65535]],
  ])("reads %s from int32_data", (_, dataType, int32Data, expected) => {
    const graph = { name: "g", initializer: [{ name: "t", dims: [4], dataType, int32Data }] };
    const model = decodeModel(modelBytes(graph), "g");
    expect([...readTensor(model, model.graph.initializers.get("t")!).data]).toEqual(expected);
  });

  it("reports values that are not finite", () => {
    const graph = { name: "g", initializer: [floatTensor("t", [3], [1, Number.NaN, Number.NEGATIVE_INFINITY])] };
    const model = decodeModel(modelBytes(graph), "g");
    const found = findNonFinite(readTensor(model, model.graph.initializers.get("t")!));
    expect(found).toEqual({ count: 2, first: 1 });
  });
});
