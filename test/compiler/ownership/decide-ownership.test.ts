import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { attachAdapter } from "../../../compiler/adapters/attach-adapter.ts";
import { readPeftAdapter } from "../../../compiler/adapters/peft-adapter.ts";
import { decodeModel } from "../../../compiler/onnx/format/decode-model.ts";
import { importModel } from "../../../compiler/onnx/import/import-model.ts";
import { readModel } from "../../../compiler/onnx/normalize/read-model.ts";
import { openBaseModel } from "../../../compiler/ownership/base-model.ts";
import { decideOwnership, type OwnershipOptions } from "../../../compiler/ownership/decide-ownership.ts";
import { createSurrogate } from "../../../compiler/ownership/public-surrogate.ts";
import { openSafetensors, readSafetensorBytes, writeSafetensors } from "../../../compiler/tensors/safetensors.ts";
import { matmulOf } from "../../../ir/ops/helpers/matmul.ts";
import { zip } from "../../../ir/ops/helpers/tensors.ts";
import { tensor } from "../../../ir/tensor.ts";
import { verify } from "../../../ir/verify.ts";
import { models } from "../../harness/fixtures.ts";
import { codesOf, floatInfo, floatTensor, modelBytes, node } from "../onnx/format/build-model.ts";
import { countOps, readRecorded, runRecorded, tensorFrom, worst } from "../onnx/import/recorded.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "marillc-ownership-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

const shared = (name: string) => join(models, name);
const modelOf = (name: string) => readModel(join(shared(name), "model.onnx"));
const labelsOf = (table: readonly { readonly name: string; readonly label: string }[], label: string) =>
  table.filter((line) => line.label === label).map(({ name }) => name);

describe("ownership of exported models", () => {
  const base = () => openBaseModel(shared("dev_llama_ts17_static"));
  const adapter = () => readPeftAdapter(join(shared("dev_lora_llama_ts17_static"), "adapter"));

  it("refuses a model without private weights, unless explicitly allowed", () => {
    const model = modelOf("dev_llama_ts17_static");
    expect(codesOf(() => decideOwnership(model))).toEqual(["MRL0421"]);
    expect(codesOf(() => decideOwnership(model, { base: base() }))).toEqual(["MRL0421"]);
    const { table } = decideOwnership(model, { allowAllPublic: true });
    expect(labelsOf(table, "server")).toEqual([]);
  });

  it.each([
    "dev_llama_ts17_static",
    "dev_llama_ts17_dynamic",
    "dev_llama_dy18_static",
  ])("%s: every weight is the base's, with the digest of the base's file", (name) => {
    const { table } = decideOwnership(modelOf(name), { base: base(), allowAllPublic: true });
    expect(labelsOf(table, "server")).toEqual([]);
    const store = openSafetensors(shared("dev_llama_ts17_static"));
    expect(table.map((line) => line.name).sort()).toEqual([...store.entries.keys()].sort());
    const { createHash } = process.getBuiltinModule("node:crypto");
    for (const { name: weight, sha256, why } of table) {
      expect(sha256).toBe(createHash("sha256").update(readSafetensorBytes(store, weight)).digest("hex"));
      expect(why).toContain(`equal to ${weight}`);
    }
  });

  it("compares a model with an ONNX base of either exporter", () => {
    const onnx = openBaseModel(join(shared("dev_llama_ts17_static"), "model.onnx"));
    for (const name of ["dev_llama_ts17_dynamic", "dev_llama_dy18_static"]) {
      const { table } = decideOwnership(modelOf(name), { base: onnx, allowAllPublic: true });
      expect(labelsOf(table, "server")).toEqual([]);
    }
    const dynamo = openBaseModel(join(shared("dev_gpt2_dy18_static"), "model.onnx"));
    const { table } = decideOwnership(modelOf("dev_gpt2_dy18_static"), { base: dynamo, allowAllPublic: true });
    expect(labelsOf(table, "server")).toEqual([]);
  });

  it("makes weights that differ from the base private, with the base as their surrogate", () => {
    const store = openSafetensors(shared("dev_llama_ts17_static"));
    const tensors = [...store.entries.values()].map((entry) => {
      const bytes = readSafetensorBytes(store, entry.name);
      if (/layers\.1\./.test(entry.name)) bytes[0] = bytes[0]! ^ 1;
      return { name: entry.name, dtype: entry.dtype, shape: entry.shape, bytes };
    });
    const other = join(folder, "other.safetensors");
    writeFileSync(other, writeSafetensors(tensors.filter(({ name }) => name !== "lm_head.weight")));
    const model = modelOf("dev_llama_ts17_static");
    const ownership = decideOwnership(model, { base: openBaseModel(other) });
    const secret = labelsOf(ownership.table, "server");
    expect(secret.filter((name) => !/layers\.1\./.test(name))).toEqual(["lm_head.weight"]);
    expect(secret).toHaveLength(10);
    expect(ownership.table.find(({ name }) => name === "lm_head.weight")!.why).toContain("has no such tensor");
    const imported = importModel(model, { ownership });
    expect(verify(imported.module)).toEqual([]);
    for (const [id, key] of Object.entries(imported.module.params)) {
      const { label } = imported.module.values[id]!.type;
      expect(label).toBe(secret.includes(key) ? "server" : "public");
    }
    const surrogate = createSurrogate(imported, ownership);
    // A head that the base does not have has the initial values of a linear layer.
    expect(surrogate.missing).toEqual([]);
    expect(surrogate.weights.get("lm_head.weight")).not.toEqual(imported.weights.get("lm_head.weight"));
    const q = "model.layers.1.self_attn.q_proj.weight";
    expect(surrogate.weights.get(q)).not.toEqual(imported.weights.get(q));
    expect(worst(surrogate.weights.get(q)!, imported.weights.get(q)!)).toBeLessThan(1e-6);
  });

  it("requires that each private pattern matches a weight", () => {
    const model = modelOf("dev_llama_ts17_static");
    const { table } = decideOwnership(model, { private: ["model.layers.1.*", "lm_head.*"] });
    expect(labelsOf(table, "server")).toHaveLength(10);
    const none = () => decideOwnership(model, { private: ["model.layers.7.*", "*.self_attn.*", "head"] });
    expect(codesOf(none)).toEqual(["MRL0422", "MRL0422"]);
  });

  it("refuses a private head that is tied to a public embedding, because the embedding would reveal it", () => {
    const model = modelOf("dev_gpt2_ts17_static");
    expect(codesOf(() => decideOwnership(model, { private: ["lm_head.*"] }))).toEqual(["MRL0424"]);
    const both = decideOwnership(model, { private: ["lm_head.*", "transformer.wte.*"] });
    expect(labelsOf(both.table, "server")).toEqual(["transformer.wte.weight", "lm_head.weight"]);
  });

  it("refuses private kernels with a public copy in the model", () => {
    const kernels = (name: string) => floatTensor(name, [2, 2, 1, 1], [1, 2, 3, 4]);
    const bytes = modelBytes({
      name: "twins",
      initializer: [kernels("first.weight"), kernels("second.weight")],
      input: [floatInfo("x", 1, 2, 3, 3)],
      output: [floatInfo("y", 1, 2, 3, 3)],
      node: [node("Conv", ["x", "first.weight"], ["h"]), node("Conv", ["h", "second.weight"], ["y"])],
    });
    const model = decodeModel(bytes, "twins.onnx");
    expect(codesOf(() => decideOwnership(model, { private: ["second.*"] }))).toEqual(["MRL0424"]);
    expect(codesOf(() => decideOwnership(model, { private: ["*"] }))).toEqual([]);
  });

  it("applies a pattern to tensors that the exporter computed from a weight", () => {
    const model = modelOf("dev_bert_dy18_static");
    const rows = decideOwnership(model, { private: ["bert.embeddings.position_embeddings.*"] });
    expect(labelsOf(rows.table, "server")).toEqual(["embedding_2"]);
    const { table } = decideOwnership(model, { private: ["bert.encoder.layer.1.*"] });
    expect(labelsOf(table, "server").every((name) => name.startsWith("bert.encoder.layer.1."))).toBe(true);
  });

  it("attaches an adapter and gives the outputs of the unmerged export", () => {
    const model = modelOf("dev_llama_ts17_static");
    const lora = readRecorded(shared("dev_lora_llama_ts17_static"));
    for (const name of ["dev_llama_ts17_static", "dev_llama_dy18_static"]) {
      const ownership = decideOwnership(modelOf(name), { adapter: adapter(), base: base() });
      const imported = attachAdapter(importModel(modelOf(name), { ownership }), adapter());
      expect(verify(imported.module)).toEqual([]);
      const secrets = Object.entries(imported.module.params).filter(
        ([id]) => imported.module.values[id]!.type.label === "server",
      );
      expect(secrets.map(([, key]) => key).sort()).toEqual(labelsOf(ownership.table, "server").sort());
      expect(secrets).toHaveLength(8);
      expect(worst(runRecorded(imported, lora), tensorFrom(lora.outputs[0]!))).toBeLessThan(1e-5);
      const surrogate = createSurrogate(imported, ownership);
      expect(surrogate.missing).toEqual([]);
      // B = 0 is the base model; the exporters' tables of cosines differ in float32.
      const plain = runRecorded({ ...imported, weights: surrogate.weights }, lora);
      expect(worst(plain, runRecorded(importModel(model), lora))).toBeLessThan(1e-6);
    }
  });

  it.each([
    ["dev_gpt2_ts17_static", "transformer.h.1.attn.c_attn", 48, 144],
    ["dev_bert_dy23_static", "bert.encoder.layer.0.attention.self.query", 48, 48],
    ["dev_bert_ts14_dynamic", "bert.encoder.layer.1.intermediate.dense", 48, 64],
  ])("%s with an adapter of %s is the model with W + A·B", (name, module, inner, outer) => {
    const recorded = readRecorded(shared(name));
    const dims = name.endsWith("dynamic")
      ? new Map([
          ["batch", 1],
          ["seq", 6],
        ])
      : new Map<string, number>();
    const imported = importModel(recorded.model, { dims });
    const numbers = (shape: number[]) => {
      return tensor(
        shape,
        Float64Array.from({ length: shape[0]! * shape[1]! }, (_, at) => Math.sin(at * 1.3)),
      );
    };
    const [a, b] = [numbers([inner, 2]), numbers([2, outer])];
    const half = { module, a, b, rank: 2, scale: 1 };
    const tuned = attachAdapter(imported, {
      folder: "synthetic",
      modules: [half],
      savedWeights: [],
      fanInFanOut: false,
    });
    const weights = new Map(imported.weights);
    const key = `${module}.weight`;
    weights.set(
      key,
      zip(weights.get(key)!, matmulOf(a, b), (x, y) => x + y),
    );
    const merged = runRecorded({ ...imported, weights }, recorded);
    expect(worst(runRecorded(tuned, recorded), merged)).toBeLessThan(1e-9);
    expect(worst(merged, runRecorded(imported, recorded))).toBeGreaterThan(1e-3);
  });

  it("folds the scale of an unmerged LoRA graph into B, and makes A and B private on request", () => {
    const lora = readRecorded(shared("dev_lora_llama_ts17_static"));
    const ownership = decideOwnership(lora.model, { loraPrivate: true });
    const imported = importModel(lora.model, { ownership });
    expect(labelsOf(ownership.table, "server")).toHaveLength(8);
    expect(countOps(imported)).toMatchObject({ matmul: 23, mul: 7 });
    for (const { module, a, b } of adapter().modules) {
      expect(worst(imported.weights.get(`${module}.lora_A.weight`)!, a)).toBe(0);
      expect(worst(imported.weights.get(`${module}.lora_B.weight`)!, b)).toBeLessThan(1e-6);
    }
    expect(createSurrogate(imported, ownership).missing).toEqual([]);
    expect(worst(runRecorded(imported, lora), tensorFrom(lora.outputs[0]!))).toBeLessThan(1e-5);
  });

  it("refuses an adapter of another base, and lists all modules at once", () => {
    const gpt2 = importModel(modelOf("dev_gpt2_ts17_static"));
    expect(codesOf(() => attachAdapter(gpt2, adapter()))).toEqual(["MRL0426", "MRL0426", "MRL0426", "MRL0426"]);
    const wider = adapter();
    const modules = wider.modules.map((half, at) =>
      at === 0 ? { ...half, a: { shape: [50, 2], data: new Float64Array(100) } } : half,
    );
    const llama = importModel(modelOf("dev_llama_ts17_static"));
    expect(codesOf(() => attachAdapter(llama, { ...wider, modules }))).toEqual(["MRL0423"]);
  });
});

describe("decideOwnership", () => {
  const graph = {
    name: "g",
    input: [floatInfo("x", 1, 2)],
    output: [floatInfo("y", 1, 2)],
    initializer: [floatTensor("fc.weight", [2, 2], [1, 2, 3, 4]), floatTensor("old.weight", [2], [5, 6])],
    node: [node("MatMul", ["x", "fc.weight"], ["y"], "/fc/MatMul")],
  };
  const model = decodeModel(modelBytes(graph), "g.onnx");

  it("refuses private weights that no output depends on", () => {
    const ownership = decideOwnership(model, { private: ["*"] });
    expect(codesOf(() => importModel(model, { ownership }))).toEqual(["MRL0425"]);
    expect(() => importModel(model, { ownership })).toThrow("old.weight");
  });

  it("makes unnamed weights private when patterns decide", () => {
    const nameless = {
      ...graph,
      node: [node("MatMul", ["x", "onnx::MatMul_7"], ["h"]), node("Add", ["h", "fc.bias"], ["y"])],
    };
    const initializer = [floatTensor("onnx::MatMul_7", [2, 2], [1, -2, 3, 5]), floatTensor("fc.bias", [2], [5, 6])];
    const lost = decodeModel(modelBytes({ ...nameless, initializer }), "lost.onnx");
    const labels = (options: OwnershipOptions) => decideOwnership(lost, options).table.map(({ label }) => label);
    expect(labels({ private: ["fc.*"] })).toEqual(["server", "server"]);
    expect(labels({ private: ["fc.*"], public: ["onnx::*"] })).toEqual(["public", "server"]);
  });

  it("accepts an export in a narrower format as equal to the base", () => {
    const bytes = new Uint8Array(Float32Array.of(1, 2, 3 + 2 ** -20, 4).buffer);
    const file = join(folder, "fine.safetensors");
    writeFileSync(file, writeSafetensors([{ name: "fc.weight", dtype: "float32", shape: [2, 2], bytes }]));
    const { table } = decideOwnership(model, { base: openBaseModel(file) });
    // In float32 the two differ.
    expect(table.find(({ name }) => name === "fc.weight")!.label).toBe("server");
    const halves = new Uint8Array(Uint16Array.of(0x3c00, 0x4000, 0x4200, 0x4400).buffer);
    const initializer = [{ name: "fc.weight", dims: [2, 2], dataType: 10, rawData: halves }];
    const half = decodeModel(modelBytes({ ...graph, initializer }), "half.onnx");
    const rounded = decideOwnership(half, { base: openBaseModel(file), allowAllPublic: true });
    expect(labelsOf(rounded.table, "public")).toEqual(["fc.weight"]);
  });

  it("lets the user make weights public that the base does not have", () => {
    const { table } = decideOwnership(model, { private: ["fc.*"], public: ["old.*"] });
    expect(table.map(({ label }) => label)).toEqual(["server", "public"]);
  });
});
