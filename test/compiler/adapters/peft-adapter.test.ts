import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readPeftAdapter } from "../../../compiler/adapters/peft-adapter.ts";
import { readTensor } from "../../../compiler/onnx/format/read-tensor.ts";
import { readModel } from "../../../compiler/onnx/normalize/read-model.ts";
import { recoverNames } from "../../../compiler/onnx/weights/weight-names.ts";
import type { SafetensorsTensor } from "../../../compiler/tensors/safetensors.ts";
import { models } from "../../harness/fixtures.ts";
import { codesOf } from "../onnx/format/build-model.ts";
import { goodTensors, loraA, loraB, matrix, problemsWith, q, readAdapterWith } from "./peft-adapters.ts";

describe("the low-rank matrices of an adapter", () => {
  it("are A and B for x·A·B, with the scale in B", () => {
    const { modules } = readAdapterWith();

    expect(modules).toHaveLength(1);
    const { module, rank, scale, a, b } = modules[0]!;
    expect({ module, rank, scale }).toEqual({ module: q, rank: 2, scale: 3 });
    expect(a).toEqual({ shape: [3, 2], data: Float64Array.of(1, 4, 2, 5, 3, 6) });
    expect(b).toEqual({ shape: [2, 4], data: Float64Array.of(3, 9, 15, 21, 6, 12, 18, 24) });
  });

  it("are scaled by the square root of the rank with rsLoRA", () => {
    const { modules } = readAdapterWith({ use_rslora: true });

    expect(modules[0]!.scale).toBe(6 / Math.SQRT2);
  });

  it("take alpha from a pattern", () => {
    const { modules } = readAdapterWith({ alpha_pattern: { q_proj: 10 } });

    expect(modules[0]!.scale).toBe(5);
  });

  it("take the rank from a pattern", () => {
    const { modules } = readAdapterWith({ r: 8, rank_pattern: { "layers\\.0.*q_proj": 2 } });

    expect(modules[0]!.rank).toBe(2);
  });

  it("combine a patterned alpha with a patterned rank and its square root", () => {
    const patterned = { r: 8, lora_alpha: 1, rank_pattern: { q_proj: 2 }, alpha_pattern: { "self_attn.q_proj": 10 } };

    const plain = readAdapterWith(patterned);
    const rootScaled = readAdapterWith({ ...patterned, use_rslora: true });

    expect(plain.modules[0]!.scale).toBe(5);
    expect(rootScaled.modules[0]!.scale).toBe(10 / Math.SQRT2);
  });

  it("follow the first pattern that ends the path", () => {
    const { modules } = readAdapterWith({ rank_pattern: { q_proj: 2, ".*": 7 } });

    expect(modules[0]!.rank).toBe(2);
  });

  it("ignore a pattern that ends only a part of a segment", () => {
    const problems = problemsWith({ rank_pattern: { proj: 7 } });

    expect(problems).toEqual([]);
  });

  it("are found by keys with the adapter's name", () => {
    const namedTensors = goodTensors.map(withAdapterName);

    const { modules } = readAdapterWith({}, namedTensors);

    expect(modules).toEqual(readAdapterWith().modules);
  });

  it("are refused when they repeat", () => {
    const namedTensors = goodTensors.map(withAdapterName);

    const problems = problemsWith({}, [...namedTensors, ...goodTensors]);

    expect(problems).toEqual(["MRL0142", "MRL0142"]);
  });

  /** The same tensor under the key that holds the adapter's name, "default". */
  function withAdapterName(each: SafetensorsTensor): SafetensorsTensor {
    return { ...each, name: each.name.replace(".weight", ".default.weight") };
  }
});

describe("the targets of an adapter", () => {
  const queriesAndKeys = { target_modules: ["q_proj", "k_proj"] };

  it.each<{ what: string; config: object }>([
    { what: "all linear modules of a layer", config: { target_modules: "all-linear", layers_to_transform: [0] } },
    { what: "a pattern", config: { target_modules: ".*\\.[qv]_proj" } },
    { what: "a listed target that is excluded by name", config: { ...queriesAndKeys, exclude_modules: ["k_proj"] } },
    { what: "a listed target that a pattern excludes", config: { ...queriesAndKeys, exclude_modules: ".*k_proj" } },
    { what: "a layer by the named segment", config: { layers_to_transform: 0, layers_pattern: "layers" } },
    { what: "weights tied to nothing", config: { ensure_weight_tying: true } },
  ])("may be $what", ({ config }) => {
    const { modules } = readAdapterWith(config);

    expect(modules).toHaveLength(1);
  });

  it("need tensors unless they are excluded", () => {
    const problems = problemsWith(queriesAndKeys);

    expect(problems).toEqual(["MRL0142"]);
  });

  it("are missing in layers of a segment that no path has", () => {
    const problems = problemsWith({ layers_to_transform: 0, layers_pattern: ["h"] });

    expect(problems).toEqual(["MRL0142", "MRL0142"]);
  });

  it.each<{ what: string; config: object; module: string; targeted: boolean }>([
    { what: "a listed name", config: {}, module: "model.layers.1.self_attn.q_proj", targeted: true },
    { what: "another name", config: {}, module: "model.layers.1.self_attn.v_proj", targeted: false },
    {
      what: "a layer that is not transformed",
      config: { layers_to_transform: [0] },
      module: "model.layers.1.self_attn.q_proj",
      targeted: false,
    },
    {
      what: "an excluded path",
      config: { exclude_modules: ["1.self_attn.q_proj"] },
      module: "model.layers.1.self_attn.q_proj",
      targeted: false,
    },
    {
      what: "a path that the pattern matches",
      config: { target_modules: ".*\\.0\\..*_proj" },
      module: "model.layers.0.mlp.up_proj",
      targeted: true,
    },
    {
      what: "the head beside all linear modules",
      config: { target_modules: "all-linear" },
      module: "lm_head",
      targeted: false,
    },
  ])("say whether a module of the model needs tensors: $what", ({ config, module, targeted }) => {
    const adapter = readAdapterWith(config);

    const found = adapter.targetsModule!(module);

    expect(found).toBe(targeted);
  });
});

describe("the configuration of an adapter", () => {
  it("may switch features off, also unknown ones", () => {
    const off = { use_dora: false, modules_to_save: null, loftq_config: {}, from_the_future: null, lora_dropout: 0.1 };

    const { modules } = readAdapterWith(off);

    expect(modules).toHaveLength(1);
  });

  it.each<{ what: string; config: object; code: string }>([
    { what: "another method", config: { peft_type: "IA3" }, code: "MRL0140" },
    { what: "DoRA", config: { use_dora: true }, code: "MRL0141" },
    {
      what: "a module trained as a whole that is not there",
      config: { modules_to_save: ["classifier"] },
      code: "MRL0142",
    },
    { what: "other biases", config: { bias: "some" }, code: "MRL0140" },
    { what: "replicated layers", config: { layer_replication: [[0, 1]] }, code: "MRL0141" },
    { what: "LoRA on bare parameters", config: { target_parameters: ["experts.up"] }, code: "MRL0141" },
    { what: "trained token embeddings", config: { trainable_token_indices: [1, 2] }, code: "MRL0141" },
    { what: "a bias on lora_B", config: { lora_bias: true }, code: "MRL0141" },
    { what: "a flag that is no flag", config: { use_rslora: 1 }, code: "MRL0140" },
    { what: "PiSSA", config: { init_lora_weights: "pissa_niter_4" }, code: "MRL0140" },
    { what: "LoftQ", config: { init_lora_weights: "loftq" }, code: "MRL0140" },
    { what: "a field from the future", config: { warp_factor: 9 }, code: "MRL0141" },
    { what: "rank 0", config: { r: 0 }, code: "MRL0140" },
    { what: "an alpha that is no number", config: { lora_alpha: "6" }, code: "MRL0140" },
    { what: "a rank that the tensors do not have", config: { r: 3 }, code: "MRL0142" },
    { what: "a target without tensors", config: { target_modules: ["q_proj", "v_proj"] }, code: "MRL0142" },
    { what: "tensors without a target", config: { target_modules: "v_proj" }, code: "MRL0142" },
    { what: "a layer without tensors", config: { layers_to_transform: [0, 1] }, code: "MRL0142" },
    { what: "tensors of excluded modules", config: { exclude_modules: ["q_proj"] }, code: "MRL0142" },
    {
      what: "tensors of modules that a pattern excludes",
      config: { exclude_modules: ".*self_attn.*" },
      code: "MRL0142",
    },
    {
      what: "tensors of modules that are trained as a whole",
      config: { modules_to_save: ["self_attn"] },
      code: "MRL0142",
    },
    {
      what: "weights that are trained together",
      config: { ensure_weight_tying: true, modules_to_save: ["embed_tokens"] },
      code: "MRL0140",
    },
    { what: "a broken pattern", config: { target_modules: "(" }, code: "MRL0140" },
  ])("is refused for $what", ({ config, code }) => {
    const problems = problemsWith(config);

    expect(new Set(problems)).toEqual(new Set([code]));
  });

  it("has all its problems reported at once, with those of the tensors", () => {
    const problems = problemsWith({ use_dora: true, bias: "some" }, [loraB]);

    expect(problems.sort()).toEqual(["MRL0140", "MRL0141", "MRL0142"]);
  });
});

describe("the tensors of an adapter", () => {
  const withoutPrefix = goodTensors.map((each) => ({ ...each, name: each.name.slice("base_model.".length) }));

  it.each<{ what: string; tensors: readonly SafetensorsTensor[] }>([
    { what: "a missing B", tensors: [loraA] },
    { what: "a missing A", tensors: [loraB] },
    { what: "a whole weight", tensors: [...goodTensors, matrix("classifier.weight", 2, 2)] },
    { what: "an embedding", tensors: [...goodTensors, matrix("embed.lora_embedding_A", 2, 2)] },
    { what: "keys without the prefix", tensors: withoutPrefix },
    { what: "being none", tensors: [] },
  ])("are refused for $what", ({ tensors }) => {
    const problems = problemsWith({}, tensors);

    expect(new Set(problems)).toEqual(new Set(["MRL0142"]));
  });

  it("are refused when their folder is not there", () => {
    const nowhere = join(tmpdir(), "marillc-peft-nothing");

    const problems = codesOf(() => readPeftAdapter(nowhere));

    expect(problems).toEqual(["MRL0101"]);
  });
});

describe("an adapter that PEFT wrote", () => {
  it("has the matrices that an unmerged export has as nodes", () => {
    const fixture = join(models, "dev_lora_llama_ts17_static");
    const unmerged = readModel(join(fixture, "model.onnx"));
    const { linears } = recoverNames(unmerged);
    const matrixInModel = (module: string) => {
      const linear = linears.find((each) => each.module === module)!;
      return readTensor(unmerged, unmerged.graph.initializers.get(linear.weight)!);
    };

    const { modules } = readPeftAdapter(join(fixture, "adapter"));

    expect(modules.map((each) => each.module)).toEqual([
      "model.layers.0.self_attn.q_proj",
      "model.layers.0.self_attn.v_proj",
      "model.layers.1.self_attn.q_proj",
      "model.layers.1.self_attn.v_proj",
    ]);
    for (const { module, a, b, scale } of modules) {
      expect(scale).toBe(3);
      expect(matrixInModel(`${module}.lora_A`)).toEqual(a);
      expect(matrixInModel(`${module}.lora_B`).data.map((value) => value * scale)).toEqual(b.data);
    }
  });
});
