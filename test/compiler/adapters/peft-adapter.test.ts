import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readPeftAdapter } from "../../../compiler/adapters/peft-adapter.ts";
import { readTensor } from "../../../compiler/onnx/format/read-tensor.ts";
import { readModel } from "../../../compiler/onnx/normalize/read-model.ts";
import { recoverNames } from "../../../compiler/onnx/weights/weight-names.ts";
import { type SafetensorsTensor, writeSafetensors } from "../../../compiler/tensors/safetensors.ts";
import { models } from "../../harness/fixtures.ts";
import { codesOf } from "../onnx/format/build-model.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "marillc-peft-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

const q = "model.layers.0.self_attn.q_proj";
const goodConfig = { peft_type: "LORA", r: 2, lora_alpha: 6, target_modules: ["q_proj"], bias: "none" };

function matrix(name: string, rows: number, columns: number): SafetensorsTensor {
  const data = Float32Array.from({ length: rows * columns }, (_, index) => index + 1);
  return {
    name: `base_model.model.${name}`,
    dtype: "float32",
    shape: [rows, columns],
    bytes: new Uint8Array(data.buffer),
  };
}
const goodTensors = [matrix(`${q}.lora_A.weight`, 2, 3), matrix(`${q}.lora_B.weight`, 4, 2)];

function adapter(config: object = {}, tensors: readonly SafetensorsTensor[] = goodTensors) {
  writeFileSync(join(folder, "adapter_config.json"), JSON.stringify({ ...goodConfig, ...config }));
  writeFileSync(join(folder, "adapter_model.safetensors"), writeSafetensors(tensors));
  return readPeftAdapter(folder);
}

describe("readAdapter", () => {
  it("gives A and B for x·A·B, with the scale in B", () => {
    const [first, ...rest] = adapter().modules;
    expect(rest).toEqual([]);
    expect(first).toMatchObject({ module: q, rank: 2, scale: 3 });
    expect(first!.a).toEqual({ shape: [3, 2], data: Float64Array.of(1, 4, 2, 5, 3, 6) });
    expect(first!.b).toEqual({ shape: [2, 4], data: Float64Array.of(3, 9, 15, 21, 6, 12, 18, 24) });
  });

  it("supports rsLoRA and patterns of rank and alpha", () => {
    expect(adapter({ use_rslora: true }).modules[0]!.scale).toBe(6 / Math.SQRT2);
    expect(adapter({ alpha_pattern: { q_proj: 10 } }).modules[0]!.scale).toBe(5);
    expect(adapter({ r: 8, rank_pattern: { "layers\\.0.*q_proj": 2 } }).modules[0]!.rank).toBe(2);
    expect(adapter({ target_modules: "all-linear", layers_to_transform: [0] }).modules).toHaveLength(1);
    expect(adapter({ target_modules: ".*\\.[qv]_proj" }).modules).toHaveLength(1);
  });

  it("ignores features that are switched off, also unknown ones", () => {
    const off = { use_dora: false, modules_to_save: null, loftq_config: {}, from_the_future: null, lora_dropout: 0.1 };
    expect(adapter(off).modules).toHaveLength(1);
  });

  it.each<[string, object, string]>([
    ["another method", { peft_type: "IA3" }, "MRL0140"],
    ["DoRA", { use_dora: true }, "MRL0141"],
    ["a module trained as a whole that is not there", { modules_to_save: ["classifier"] }, "MRL0142"],
    ["other biases", { bias: "some" }, "MRL0140"],
    ["replicated layers", { layer_replication: [[0, 1]] }, "MRL0141"],
    ["LoRA on bare parameters", { target_parameters: ["experts.up"] }, "MRL0141"],
    ["trained token embeddings", { trainable_token_indices: [1, 2] }, "MRL0141"],
    ["a bias on lora_B", { lora_bias: true }, "MRL0141"],
    ["a flag that is no flag", { use_rslora: 1 }, "MRL0140"],
    ["PiSSA", { init_lora_weights: "pissa_niter_4" }, "MRL0140"],
    ["LoftQ", { init_lora_weights: "loftq" }, "MRL0140"],
    ["a field from the future", { warp_factor: 9 }, "MRL0141"],
    ["rank 0", { r: 0 }, "MRL0140"],
    ["an alpha that is no number", { lora_alpha: "6" }, "MRL0140"],
    ["a rank that the tensors do not have", { r: 3 }, "MRL0142"],
    ["a target without tensors", { target_modules: ["q_proj", "v_proj"] }, "MRL0142"],
    ["tensors without a target", { target_modules: "v_proj" }, "MRL0142"],
    ["a layer without tensors", { layers_to_transform: [0, 1] }, "MRL0142"],
    ["tensors of excluded modules", { exclude_modules: ["q_proj"] }, "MRL0142"],
    ["tensors of modules that a pattern excludes", { exclude_modules: ".*self_attn.*" }, "MRL0142"],
    ["tensors of modules that are trained as a whole", { modules_to_save: ["self_attn"] }, "MRL0142"],
    ["weights that are trained together", { ensure_weight_tying: true, modules_to_save: ["embed_tokens"] }, "MRL0140"],
    ["a broken pattern", { target_modules: "(" }, "MRL0140"],
  ])("refuses %s", (_, config, code) => {
    expect(new Set(codesOf(() => adapter(config)))).toEqual(new Set([code]));
  });

  it.each<[string, SafetensorsTensor[]]>([
    ["a missing B", goodTensors.slice(0, 1)],
    ["a missing A", goodTensors.slice(1)],
    ["a whole weight", [...goodTensors, matrix("classifier.weight", 2, 2)]],
    ["an embedding", [...goodTensors, matrix("embed.lora_embedding_A", 2, 2)]],
    ["keys without the prefix", goodTensors.map((each) => ({ ...each, name: each.name.slice("base_model.".length) }))],
    ["no tensors", []],
  ])("refuses %s", (_, tensors) => {
    expect(new Set(codesOf(() => adapter({}, tensors)))).toEqual(new Set(["MRL0142"]));
  });

  it("reports all problems at once", () => {
    const codes = codesOf(() => adapter({ use_dora: true, bias: "some" }, goodTensors.slice(1)));
    expect(codes.sort()).toEqual(["MRL0140", "MRL0141", "MRL0142"]);
  });

  it("combines a patterned alpha with a patterned rank and its square root", () => {
    const config = { r: 8, lora_alpha: 1, rank_pattern: { q_proj: 2 }, alpha_pattern: { "self_attn.q_proj": 10 } };
    expect(adapter(config).modules[0]!.scale).toBe(5);
    expect(adapter({ ...config, use_rslora: true }).modules[0]!.scale).toBe(10 / Math.SQRT2);
    // The first pattern that ends the path decides.
    expect(adapter({ rank_pattern: { q_proj: 2, ".*": 7 } }).modules[0]!.rank).toBe(2);
    expect(codesOf(() => adapter({ rank_pattern: { proj: 7 } }))).toEqual([]);
  });

  it("reads fully trained weights that the configuration lists", () => {
    const bias = matrix(`${q}.base_layer.bias`, 1, 4);
    const norm = matrix("model.norm.bias", 1, 3);
    const head = [matrix("classifier.weight", 2, 3), matrix("classifier.bias", 1, 2)];
    const names = (config: object, tensors: readonly SafetensorsTensor[]) =>
      adapter(config, [...goodTensors, ...tensors]).savedWeights.map(({ name }) => name);
    expect(names({ bias: "all" }, [bias, norm])).toEqual(["model.layers.0.self_attn.q_proj.bias", "model.norm.bias"]);
    expect(names({ bias: "lora_only" }, [bias])).toEqual(["model.layers.0.self_attn.q_proj.bias"]);
    expect(codesOf(() => names({ bias: "lora_only" }, [norm]))).toEqual(["MRL0142"]);
    expect(names({ modules_to_save: ["classifier", "score"] }, head)).toEqual(["classifier.bias", "classifier.weight"]);
    expect(codesOf(() => names({ modules_to_save: ["classifier", "other"] }, head))).toEqual(["MRL0142"]);
    expect(codesOf(() => names({ bias: "all" }, head.slice(0, 1)))).toEqual(["MRL0142"]);
    expect(codesOf(() => names({ bias: "all" }, [bias, matrix(`${q}.bias`, 1, 4)]))).toEqual(["MRL0142"]);
  });

  it("treats an excluded target as none, and finds layers by the named segments", () => {
    const all = { target_modules: ["q_proj", "k_proj"] };
    expect(codesOf(() => adapter(all))).toEqual(["MRL0142"]);
    for (const excluded of [["k_proj"], ".*k_proj"]) {
      expect(adapter({ ...all, exclude_modules: excluded }).modules).toHaveLength(1);
    }
    expect(adapter({ layers_to_transform: 0, layers_pattern: "layers" }).modules).toHaveLength(1);
    expect(codesOf(() => adapter({ layers_to_transform: 0, layers_pattern: ["h"] }))).toEqual(["MRL0142", "MRL0142"]);
    expect(adapter({ ensure_weight_tying: true }).modules).toHaveLength(1);
  });

  it("says which modules of a model need tensors", () => {
    const named = (config: object, module: string) => adapter(config).targetsModule!(module);
    expect(named({}, "model.layers.1.self_attn.q_proj")).toBe(true);
    expect(named({}, "model.layers.1.self_attn.v_proj")).toBe(false);
    expect(named({ layers_to_transform: [0] }, "model.layers.1.self_attn.q_proj")).toBe(false);
    expect(named({ exclude_modules: ["1.self_attn.q_proj"] }, "model.layers.1.self_attn.q_proj")).toBe(false);
    expect(named({ target_modules: ".*\\.0\\..*_proj" }, "model.layers.0.mlp.up_proj")).toBe(true);
    expect(named({ target_modules: "all-linear" }, "lm_head")).toBe(false);
  });

  it("reads keys with the adapter's name, and refuses a repeated matrix", () => {
    const named = goodTensors.map((each) => ({ ...each, name: each.name.replace(".weight", ".default.weight") }));
    expect(adapter({}, named).modules).toEqual(adapter().modules);
    expect(codesOf(() => adapter({}, [...named, ...goodTensors]))).toEqual(["MRL0142", "MRL0142"]);
  });

  it("matches modules_to_save by the end of their paths, as PEFT does", () => {
    const norms = ["model.norm", "model.layers.0.input_layernorm"].map((name) => matrix(`${name}.weight`, 1, 3));
    const { savedWeights } = adapter({ modules_to_save: ["norm"] }, [...goodTensors, ...norms]);
    expect(savedWeights.map(({ name }) => name)).toEqual([
      "model.layers.0.input_layernorm.weight",
      "model.norm.weight",
    ]);
  });

  it("recognizes embeddings that were saved but not trained", () => {
    const beside = [matrix("lm_head.base_layer.weight", 2, 3), matrix("model.embed_tokens.weight", 2, 3)];
    const { savedWeights } = adapter({}, [...goodTensors, ...beside]);
    expect(savedWeights.map(({ name, kept }) => [name, kept])).toEqual([
      ["lm_head.weight", true],
      ["model.embed_tokens.weight", true],
    ]);
    const trained = adapter({ modules_to_save: ["embed_tokens"] }, [...goodTensors, ...beside.slice(1)]);
    expect(trained.savedWeights[0]!.kept).toBeUndefined();
  });

  it("refuses folders without an adapter", () => {
    expect(codesOf(() => readPeftAdapter(join(folder, "nothing")))).toEqual(["MRL0101"]);
  });
});

describe("readAdapter on a PEFT adapter", () => {
  it("reads the matrices that an unmerged export has as nodes", () => {
    const model = readModel(join(models, "dev_lora_llama_ts17_static/model.onnx"));
    const { linears } = recoverNames(model);
    const { modules } = readPeftAdapter(join(models, "dev_lora_llama_ts17_static/adapter"));
    expect(modules.map((each) => each.module)).toEqual(
      [0, 1].flatMap((layer) => ["q", "v"].map((name) => `model.layers.${layer}.self_attn.${name}_proj`)),
    );
    for (const { module, a, b, scale } of modules) {
      const stored = (half: string) => {
        const linear = linears.find((each) => each.module === `${module}.${half}`)!;
        return readTensor(model, model.graph.initializers.get(linear.weight)!);
      };
      expect(stored("lora_A")).toEqual(a);
      expect(stored("lora_B").data.map((value) => value * scale)).toEqual(b.data);
      expect(scale).toBe(3);
    }
  });
});
