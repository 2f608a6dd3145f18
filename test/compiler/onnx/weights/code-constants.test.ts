import { expect, it } from "vitest";
import { decodeModel } from "../../../../compiler/onnx/format/decode-model.ts";
import { catalogWeights } from "../../../../compiler/onnx/weights/catalog-weights.ts";
import { isCodeConstant } from "../../../../compiler/onnx/weights/exporter-constants.ts";
import { floatInfo, floatTensor, modelBytes, node } from "../format/build-model.ts";

it("recognizes values that the model's code alone makes, and none that depends on a parameter", () => {
  expect(isCodeConstant("masked_fill", ["arange", "arange_2", "full", "mul_17", "val_3"], false)).toBe(true);
  expect(isCodeConstant("masked_fill", [], false)).toBe(false);
  expect(isCodeConstant("val_49", ["m.layers.0.q_proj.weight"], false)).toBe(false);
  // Parameters of the model itself have no dot in their names.
  for (const parameter of ["cls_token", "pos_embed", "logit_scale", "m.lifted_tensor_scale"]) {
    expect(isCodeConstant("mul_3", ["arange", parameter, "val_1"], false), parameter).toBe(false);
  }
});

it("counts a scalar in the code as code, but not a table, which may be trained", () => {
  expect(isCodeConstant("transformer.h.0.attn.lifted_tensor_0", [], true)).toBe(true);
  expect(isCodeConstant("transformer.h.0.attn.lifted_tensor_0", [], false)).toBe(false);
  expect(isCodeConstant("clone", ["m.h.0.lifted_tensor_0", "val_2"], true)).toBe(true);
  expect(isCodeConstant("transpose", ["m.h.0.lifted_tensor_0", "val_2"], false)).toBe(false);
  // Slopes of ALiBi times positions.
  expect(isCodeConstant("mul_1", ["m.h.0.lifted_tensor_0", "arange", "pow_1"], false)).toBe(true);
});

it("leaves a position bias public when all trained weights are private", () => {
  const graph = {
    name: "g",
    input: [floatInfo("x", 4)],
    output: [floatInfo("y", 4)],
    valueInfo: [floatInfo("mul_1", 4), floatInfo("mul_2", 4)],
    initializer: [floatTensor("mul_1", [4], [0.5, 0.75, 3, 1]), floatTensor("mul_2", [4], [0.5, 0.75, 3, 1])],
    node: [node("Add", ["x", "mul_1"], ["a"]), node("Add", ["a", "mul_2"], ["y"])],
  };
  const model = decodeModel(modelBytes(graph), "places.onnx");
  // The schema that test models are written with is older than metadata of values.
  const notes: Readonly<Record<string, string>> = {
    mul_1: "['arange', 'pow_1', 'val_2']",
    mul_2: "['arange', 'm.slopes']",
  };
  const valueInfo = new Map(
    [...model.graph.valueInfo].map(([name, info]) => {
      return [name, { ...info, metadata: new Map([["pkg.onnxscript.optimizer.folded_from", notes[name]!]]) }];
    }),
  );
  const { weights, constants } = catalogWeights({ ...model, graph: { ...model.graph, valueInfo } });
  expect([...constants]).toEqual(["mul_1"]);
  expect(weights.size).toBe(1);
});
