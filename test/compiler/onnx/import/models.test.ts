import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { importModel } from "../../../../compiler/onnx/import/import-model.ts";
import { opsOf } from "../../../../ir/module.ts";
import { parse } from "../../../../ir/text/parse.ts";
import { print } from "../../../../ir/text/print.ts";
import { verify } from "../../../../ir/verify.ts";
import { models } from "../../../harness/fixtures.ts";
import { countOps, readRecorded, runRecorded, tensorFrom, worst } from "./recorded.ts";

const llama = { "rms-norm": 5, attention: 2, rope: 4, silu: 2, matmul: 15 };
const gpt2 = { "layer-norm": 5, attention: 2, gelu: 2, matmul: 9 };
const bert = { "layer-norm": 5, attention: 2, gelu: 2, matmul: 14, tanh: 1 };
const expected: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  dev_llama_ts17_static: llama,
  dev_llama_ts17_dynamic: llama,
  dev_llama_dy18_static: llama,
  dev_lora_llama_ts17_static: { ...llama, matmul: 23 },
  dev_gpt2_ts17_static: gpt2,
  dev_gpt2_dy18_static: gpt2,
  dev_bert_ts14_dynamic: bert,
  dev_bert_dy18_static: bert,
  dev_bert_dy23_static: bert,
};
const dims = new Map([
  ["batch", 1],
  ["seq", 6],
]);
const parts = ["softmax", "sqrt", "rsqrt", "pow", "div", "erf", "sigmoid", "is-nan", "reduce-mean", "expand", "neg"];

describe("importModel on exported models", () => {
  it.each(Object.entries(expected))("%s is fused and computes the recorded results", (name, operators) => {
    const recorded = readRecorded(join(models, name));
    const options = name.endsWith("dynamic") ? { dims } : {};
    const plain = importModel(recorded.model, { ...options, fuse: false });
    const imported = importModel(recorded.model, options);
    for (const { module } of [plain, imported]) {
      expect(verify(module)).toEqual([]);
      expect(parse(print(module))).toEqual(module);
    }
    const wanted = tensorFrom(recorded.outputs[0]!);
    expect(worst(runRecorded(plain, recorded), wanted)).toBeLessThan(1e-5);
    expect(worst(runRecorded(imported, recorded), wanted)).toBeLessThan(1e-5);
    const counts = countOps(imported);
    expect(counts).toMatchObject(operators);
    expect(parts.filter((part) => part in counts)).toEqual([]);
    const masks = opsOf(imported.module).filter((op) => op.name === "attention");
    for (const op of masks) {
      expect(op.attrs.causal).toBe(!name.includes("bert"));
      // What depends on the client's mask is as small as the mask, and stays with the client.
      expect(imported.module.values[op.operands[3]!]!.type).toMatchObject({ label: "client", shape: [1, 1, 1, 6] });
    }
    expect(importModel(recorded.model, options).module).toEqual(imported.module);
  });

  it("binds symbols by their own names, and other lengths", () => {
    const { model } = readRecorded(join(models, "dev_llama_ts17_dynamic"));
    const own = new Map([
      ["batch_size", 2],
      ["sequence_length", 3],
    ]);
    const imported = importModel(model, { dims: own });
    const logits = imported.outputs.get("logits")!;
    expect(imported.module.values[logits]!.type.shape).toEqual([2, 3, 53]);
    expect(verify(imported.module)).toEqual([]);
    expect(countOps(imported)).toMatchObject(llama);
  });

  it.each([
    ["dev_densenet_small_ts17", { conv: 28 }],
    ["dev_resnet_small_ts17", { conv: 9 }],
    ["dev_gru_ts17_static", { sigmoid: 9 }],
    ["dev_lstm_ts17_static", { sigmoid: 9 }],
    ["dev_fastgrnn_ts17_unrolled", { sigmoid: 7 }],
  ])("%s computes what was recorded", (name, operators) => {
    const recorded = readRecorded(join(models, name));
    const imported = importModel(recorded.model);
    expect(verify(imported.module)).toEqual([]);
    expect(worst(runRecorded(imported, recorded), tensorFrom(recorded.outputs[0]!))).toBeLessThan(1e-5);
    expect(countOps(imported)).toMatchObject(operators);
  });
});
