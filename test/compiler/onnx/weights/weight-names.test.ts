import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { decodeModel } from "../../../../compiler/onnx/format/decode-model.ts";
import { readTensor } from "../../../../compiler/onnx/format/read-tensor.ts";
import { readModel } from "../../../../compiler/onnx/normalize/read-model.ts";
import { findWrapperPrefix, stripPrefix } from "../../../../compiler/onnx/weights/module-path.ts";
import { recoverNames } from "../../../../compiler/onnx/weights/weight-names.ts";
import { openSafetensors, readSafetensor } from "../../../../compiler/tensors/safetensors.ts";
import { transpose } from "../../../../compiler/tensors/tensor-ops.ts";
import { models } from "../../../harness/fixtures.ts";
import { floatInfo, floatTensor, modelBytes, node } from "../format/build-model.ts";

const load = (name: string) => readModel(join(models, name, "model.onnx"));

describe("weight names of exported models", () => {
  const llamaLinears = [0, 1]
    .flatMap((layer) =>
      ["q", "k", "v", "o"]
        .map((name) => `self_attn.${name}_proj`)
        .concat("mlp.gate_proj", "mlp.up_proj", "mlp.down_proj")
        .map((name) => `model.layers.${layer}.${name}`),
    )
    .concat("lm_head");

  it.each([
    "dev_llama_ts17_static",
    "dev_llama_dy18_static",
    "dev_llama_ts17_dynamic",
  ])("%s: every weight has its Hugging Face name and value", (name) => {
    const base = openSafetensors(join(models, "dev_llama_ts17_static"));
    const model = load(name);
    const { names, linears, ambiguous } = recoverNames(model);
    expect(ambiguous.size).toBe(0);
    for (const tensor of model.graph.initializers.values()) {
      if (tensor.dtype !== "float32" || (tensor.dims.length !== 2 && !names.has(tensor.name))) continue;
      const found = names.get(tensor.name)!;
      const value = readTensor(model, tensor);
      expect(found.transposed ? transpose(value) : value, tensor.name).toEqual(readSafetensor(base, found.name));
    }
    expect([...names.values()].map((found) => found.name).sort()).toEqual([...base.entries.keys()].sort());
    expect(linears.map((linear) => linear.module).sort()).toEqual([...llamaLinears].sort());
    expect(recoverNames(model, { known: new Set(base.entries.keys()) }).names).toEqual(names);
  });

  it("an unmerged PEFT export names base, A and B", () => {
    const base = openSafetensors(join(models, "dev_llama_ts17_static"));
    const { names, linears } = recoverNames(load("dev_lora_llama_ts17_static"));
    const found = new Set([...names.values()].map(({ name }) => name));
    expect([...base.entries.keys()].filter((name) => !found.has(name))).toEqual([]);
    expect(linears.map(({ module }) => module).filter((module) => module?.includes("layers.1.self_attn.q"))).toEqual([
      "model.layers.1.self_attn.q_proj",
      "model.layers.1.self_attn.q_proj.lora_A",
      "model.layers.1.self_attn.q_proj.lora_B",
    ]);
  });

  it.each([
    ["dev_gpt2_ts17_static", "transformer.h.1.mlp.c_fc", false],
    ["dev_gpt2_dy18_static", "transformer.h.1.mlp.c_fc", false],
    ["dev_bert_ts14_dynamic", "bert.encoder.layer.0.attention.self.query", false],
    ["dev_bert_dy18_static", "bert.encoder.layer.0.attention.self.query", false],
    ["dev_bert_dy23_static", "bert.encoder.layer.0.attention.self.query", false],
    ["dev_bert_ts14_dynamic", "classifier", true],
    ["dev_resnet_small_ts17", "classifier.1", true],
  ])("%s has the linear layer %s", (name, module, outFirst) => {
    expect(recoverNames(load(name)).linears).toContainEqual(expect.objectContaining({ module, outFirst }));
  });
});

describe("recoverNames", () => {
  it("leaves out names that two weights claim", () => {
    const graph = {
      name: "g",
      input: [floatInfo("x", 1, 2)],
      initializer: [floatTensor("one", [2, 2], [1, 2, 3, 4]), floatTensor("two", [2, 2], [1, 2, 3, 4])],
      node: [
        node("MatMul", ["x", "one"], ["a"], "/cell/MatMul"),
        node("MatMul", ["a", "two"], ["b"], "/cell/MatMul_1"),
      ],
    };
    const { names, ambiguous } = recoverNames(decodeModel(modelBytes(graph), "g"));
    expect(names.size).toBe(0);
    expect([...ambiguous]).toEqual([["cell.weight", ["one", "two"]]]);
  });

  it("treats kept names with a Transpose as [out, in]", () => {
    const graph = {
      name: "g",
      input: [floatInfo("x", 1, 2)],
      initializer: [floatTensor("net.fc.weight", [3, 2], [1, 2, 3, 4, 5, 6])],
      node: [node("Transpose", ["net.fc.weight"], ["t"]), node("MatMul", ["x", "t"], ["y"], "/net/fc/MatMul")],
    };
    const { names, linears } = recoverNames(decodeModel(modelBytes(graph), "g"));
    expect(names.get("net.fc.weight")).toEqual({ name: "fc.weight", how: "kept", transposed: false });
    expect(linears[0]).toMatchObject({ module: "fc", outFirst: true });
  });

  it("distinguishes wrappers from models", () => {
    const peft = ["m.base_model.model.model.norm.weight", "m.base_model.model.lm_head.weight"];
    expect(peft.map((name) => stripPrefix(name, findWrapperPrefix(peft)))).toEqual([
      "model.norm.weight",
      "lm_head.weight",
    ]);
    expect(findWrapperPrefix(["model.norm.weight", "model.embed_tokens.weight"])).toEqual([]);
    expect(findWrapperPrefix([])).toEqual([]);
  });

  it.each([
    ["/m/base_model/model/layers.0/q_proj/", "PEFT until 0.17"],
    ["/m/model/model/layers.0/q_proj/", "PEFT since"],
  ])("finds the halves of an unmerged LoRA at %s, as %s calls the model", (path) => {
    const inner = "m.base_model.model.model";
    const graph = {
      name: "g",
      input: [floatInfo("x", 1, 2)],
      initializer: ["base", "low", "high"].map((name) => floatTensor(name, [2, 2], [1, 2, 3, 4])),
      node: [
        node("Mul", ["x", `${inner}.norm.weight`], ["n"], `${path.replace("layers.0/q_proj", "norm")}Mul`),
        node("MatMul", ["n", "base"], ["b"], `${path}base_layer/MatMul`),
        node("MatMul", ["n", "low"], ["l"], `${path}default/MatMul`),
        node("MatMul", ["l", "high"], ["h"], `${path}default_1/MatMul`),
        node("Add", ["b", "h"], ["y"], `${path}Add`),
      ],
    };
    graph.initializer.push(floatTensor(`${inner}.norm.weight`, [2], [1, 2]));
    const { names } = recoverNames(decodeModel(modelBytes(graph), "g"));
    expect(["base", "low", "high"].map((each) => names.get(each)!.name)).toEqual(
      ["", ".lora_A", ".lora_B"].map((half) => `model.layers.0.q_proj${half}.weight`),
    );
  });
});
