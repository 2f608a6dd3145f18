import { describe, expect, it } from "vitest";
import type { LoraAdapter } from "../../../compiler/ownership/adapter.ts";
import type { SafetensorsTensor } from "../../../compiler/tensors/safetensors.ts";
import { goodTensors, matrix, problemsWith, q, readAdapterWith } from "./peft-adapters.ts";

/** Names of the weights that were saved beside the low-rank matrices. */
const savedNames = ({ savedWeights }: LoraAdapter): string[] => savedWeights.map(({ name }) => name);

/** Weights that PEFT saves whole beside the low-rank matrices. */
describe("the fully trained weights of an adapter", () => {
  const bias = matrix(`${q}.base_layer.bias`, 1, 4);
  const sameBiasAgain = matrix(`${q}.bias`, 1, 4);
  const normBias = matrix("model.norm.bias", 1, 3);
  const classifierWeight = matrix("classifier.weight", 2, 3);
  const classifierBias = matrix("classifier.bias", 1, 2);

  it.each<{ what: string; config: object; saved: SafetensorsTensor[]; names: string[] }>([
    {
      what: "all biases",
      config: { bias: "all" },
      saved: [bias, normBias],
      names: ["model.layers.0.self_attn.q_proj.bias", "model.norm.bias"],
    },
    {
      what: "biases of changed modules",
      config: { bias: "lora_only" },
      saved: [bias],
      names: ["model.layers.0.self_attn.q_proj.bias"],
    },
    {
      what: "modules of which one has another name",
      config: { modules_to_save: ["classifier", "score"] },
      saved: [classifierWeight, classifierBias],
      names: ["classifier.bias", "classifier.weight"],
    },
    {
      what: "modules by the end of their paths, as PEFT matches them",
      config: { modules_to_save: ["norm"] },
      saved: [matrix("model.norm.weight", 1, 3), matrix("model.layers.0.input_layernorm.weight", 1, 3)],
      names: ["model.layers.0.input_layernorm.weight", "model.norm.weight"],
    },
  ])("are read when the configuration lists $what", ({ config, saved, names }) => {
    const adapter = readAdapterWith(config, [...goodTensors, ...saved]);

    expect(savedNames(adapter)).toEqual(names);
  });

  it.each<{ what: string; config: object; saved: SafetensorsTensor[] }>([
    { what: "a bias of an unchanged module", config: { bias: "lora_only" }, saved: [normBias] },
    {
      what: "a listed module without weights",
      config: { modules_to_save: ["classifier", "other"] },
      saved: [classifierWeight, classifierBias],
    },
    { what: "a weight where only biases are trained", config: { bias: "all" }, saved: [classifierWeight] },
    { what: "one bias under two keys", config: { bias: "all" }, saved: [bias, sameBiasAgain] },
  ])("are refused for $what", ({ config, saved }) => {
    const problems = problemsWith(config, [...goodTensors, ...saved]);

    expect(problems).toEqual(["MRL0142"]);
  });

  it("are kept as they were if they are embeddings that nobody trained", () => {
    const head = matrix("lm_head.base_layer.weight", 2, 3);
    const embeddings = matrix("model.embed_tokens.weight", 2, 3);

    const { savedWeights } = readAdapterWith({}, [...goodTensors, head, embeddings]);

    expect(savedWeights.map(({ name }) => name)).toEqual(["lm_head.weight", "model.embed_tokens.weight"]);
    expect(savedWeights.map(({ kept }) => kept)).toEqual([true, true]);
  });

  it("are not kept as they were if the configuration trains the embeddings", () => {
    const embeddings = matrix("model.embed_tokens.weight", 2, 3);

    const { savedWeights } = readAdapterWith({ modules_to_save: ["embed_tokens"] }, [...goodTensors, embeddings]);

    expect(savedWeights[0]!.kept).toBeUndefined();
  });
});
