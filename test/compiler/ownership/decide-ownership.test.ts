import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { decodeModel } from "../../../compiler/onnx/format/decode-model.ts";
import { importModel } from "../../../compiler/onnx/import/import-model.ts";
import { readModel } from "../../../compiler/onnx/normalize/read-model.ts";
import { openBaseModel } from "../../../compiler/ownership/base-model.ts";
import { decideOwnership } from "../../../compiler/ownership/decide-ownership.ts";
import { createSurrogate } from "../../../compiler/ownership/public-surrogate.ts";
import { openSafetensors, readSafetensorBytes, writeSafetensors } from "../../../compiler/tensors/safetensors.ts";
import { verify } from "../../../ir/verify.ts";
import { models } from "../../harness/fixtures.ts";
import { codesOf, floatInfo, floatTensor, modelBytes, node } from "../onnx/format/build-model.ts";
import { worst } from "../onnx/import/recorded.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "marillc-ownership-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

const fixture = (name: string) => join(models, name);
const exportedModel = (name: string) => readModel(join(fixture(name), "model.onnx"));
const llamaFolder = fixture("dev_llama_ts17_static");
const llama = () => exportedModel("dev_llama_ts17_static");
const llamaBase = () => openBaseModel(llamaFolder);

type Ownership = ReturnType<typeof decideOwnership>;
const namesWith = ({ table }: Ownership, label: string) =>
  table.filter((line) => line.label === label).map(({ name }) => name);
const privateNames = (ownership: Ownership) => namesWith(ownership, "server");
const publicNames = (ownership: Ownership) => namesWith(ownership, "public");
const lineOf = ({ table }: Ownership, name: string) => table.find((line) => line.name === name)!;

describe("a model without private weights", () => {
  it("is refused", () => {
    expect(codesOf(() => decideOwnership(llama()))).toEqual(["MRL0421"]);
  });

  it("is refused when it equals its base", () => {
    expect(codesOf(() => decideOwnership(llama(), { base: llamaBase() }))).toEqual(["MRL0421"]);
  });

  it("is accepted when explicitly allowed", () => {
    const ownership = decideOwnership(llama(), { allowAllPublic: true });

    expect(privateNames(ownership)).toEqual([]);
  });
});

describe("a model beside its base", () => {
  it.each([
    "dev_llama_ts17_static",
    "dev_llama_ts17_dynamic",
    "dev_llama_dy18_static",
  ])("has in %s only weights of the base, with the digests of the base's file", (name) => {
    const baseFile = openSafetensors(llamaFolder);
    const digestOf = (weight: string) =>
      createHash("sha256").update(readSafetensorBytes(baseFile, weight)).digest("hex");

    const ownership = decideOwnership(exportedModel(name), { base: llamaBase(), allowAllPublic: true });

    expect(privateNames(ownership)).toEqual([]);
    const weights = ownership.table.map((line) => line.name);
    expect(weights.sort()).toEqual([...baseFile.entries.keys()].sort());
    for (const { name: weight, sha256, why } of ownership.table) {
      expect(sha256).toBe(digestOf(weight));
      expect(why).toContain(`equal to ${weight}`);
    }
  });

  it.each([
    { name: "dev_llama_ts17_dynamic", base: "dev_llama_ts17_static" },
    { name: "dev_llama_dy18_static", base: "dev_llama_ts17_static" },
    { name: "dev_gpt2_dy18_static", base: "dev_gpt2_dy18_static" },
  ])("has in $name only weights of the ONNX base $base", ({ name, base }) => {
    const onnxBase = openBaseModel(join(fixture(base), "model.onnx"));

    const ownership = decideOwnership(exportedModel(name), { base: onnxBase, allowAllPublic: true });

    expect(privateNames(ownership)).toEqual([]);
  });

  describe("that differs in a layer and lacks the head", () => {
    const isChanged = (name: string) => /layers\.1\./.test(name);
    const otherBase = () => {
      const file = openSafetensors(llamaFolder);
      const tensors = [...file.entries.values()].map(({ name, dtype, shape }) => {
        const bytes = readSafetensorBytes(file, name);
        if (isChanged(name)) bytes[0] = bytes[0]! ^ 1;
        return { name, dtype, shape, bytes };
      });
      const path = join(folder, "other.safetensors");
      writeFileSync(path, writeSafetensors(tensors.filter(({ name }) => name !== "lm_head.weight")));
      return openBaseModel(path);
    };

    it("has the layer and the head as private weights", () => {
      const ownership = decideOwnership(llama(), { base: otherBase() });

      const secrets = privateNames(ownership);
      expect(secrets).toHaveLength(10);
      expect(secrets.filter((name) => !isChanged(name))).toEqual(["lm_head.weight"]);
      expect(lineOf(ownership, "lm_head.weight").why).toContain("has no such tensor");
    });

    it("is imported with the labels of the table", () => {
      const model = llama();
      const ownership = decideOwnership(model, { base: otherBase() });

      const { module } = importModel(model, { ownership });

      expect(verify(module)).toEqual([]);
      const secrets = privateNames(ownership);
      for (const [id, key] of Object.entries(module.params)) {
        const { label } = module.values[id]!.type;
        expect(label).toBe(secrets.includes(key) ? "server" : "public");
      }
    });

    it("has the base as the surrogate of its private weights, and initial values as that of the head", () => {
      const model = llama();
      const ownership = decideOwnership(model, { base: otherBase() });
      const imported = importModel(model, { ownership });

      const surrogate = createSurrogate(imported, ownership);

      expect(surrogate.initial).toEqual(["lm_head.weight"]);
      // A head that the base does not have has the initial values of a linear layer.
      expect(surrogate.weights.get("lm_head.weight")).not.toEqual(imported.weights.get("lm_head.weight"));
      const query = "model.layers.1.self_attn.q_proj.weight";
      expect(surrogate.weights.get(query)).not.toEqual(imported.weights.get(query));
      expect(worst(surrogate.weights.get(query)!, imported.weights.get(query)!)).toBeLessThan(1e-6);
    });
  });
});

describe("patterns of private weights", () => {
  it("make the weights private that they match", () => {
    const ownership = decideOwnership(llama(), { private: ["model.layers.1.*", "lm_head.*"] });

    expect(privateNames(ownership)).toHaveLength(10);
  });

  it("are each refused when they match no weight", () => {
    const matching = "*.self_attn.*";
    const matchingNothing = ["model.layers.7.*", "head"];

    const codes = codesOf(() => decideOwnership(llama(), { private: [matching, ...matchingNothing] }));

    expect(codes).toEqual(["MRL0422", "MRL0422"]);
  });

  it("apply to a tensor that the exporter computed from a weight", () => {
    const bert = exportedModel("dev_bert_dy18_static");

    const ownership = decideOwnership(bert, { private: ["bert.embeddings.position_embeddings.*"] });

    expect(privateNames(ownership)).toEqual(["embedding_2"]);
  });

  it("apply to no tensor of another layer", () => {
    const bert = exportedModel("dev_bert_dy18_static");

    const ownership = decideOwnership(bert, { private: ["bert.encoder.layer.1.*"] });

    const ofOthers = privateNames(ownership).filter((name) => !name.startsWith("bert.encoder.layer.1."));
    expect(ofOthers).toEqual([]);
  });
});

describe("a private weight with a public copy", () => {
  const gpt2 = () => exportedModel("dev_gpt2_ts17_static");
  const twinKernels = () => {
    const kernels = (name: string) => floatTensor(name, [2, 2, 1, 1], [1, 2, 3, 4]);
    const bytes = modelBytes({
      name: "twins",
      initializer: [kernels("first.weight"), kernels("second.weight")],
      input: [floatInfo("x", 1, 2, 3, 3)],
      output: [floatInfo("y", 1, 2, 3, 3)],
      node: [node("Conv", ["x", "first.weight"], ["h"]), node("Conv", ["h", "second.weight"], ["y"])],
    });
    return decodeModel(bytes, "twins.onnx");
  };

  it("is refused as a head tied to the embedding, because the embedding would reveal it", () => {
    expect(codesOf(() => decideOwnership(gpt2(), { private: ["lm_head.*"] }))).toEqual(["MRL0424"]);
  });

  it("is accepted as a head when the embedding is private too", () => {
    const ownership = decideOwnership(gpt2(), { private: ["lm_head.*", "transformer.wte.*"] });

    expect(privateNames(ownership)).toEqual(["transformer.wte.weight", "lm_head.weight"]);
  });

  it("is refused as kernels of a convolution", () => {
    expect(codesOf(() => decideOwnership(twinKernels(), { private: ["second.*"] }))).toEqual(["MRL0424"]);
  });

  it("is accepted as kernels when both are private", () => {
    expect(codesOf(() => decideOwnership(twinKernels(), { private: ["*"] }))).toEqual([]);
  });
});

describe("decideOwnership of a small model", () => {
  const graph = {
    name: "g",
    input: [floatInfo("x", 1, 2)],
    output: [floatInfo("y", 1, 2)],
    initializer: [floatTensor("fc.weight", [2, 2], [1, 2, 3, 4]), floatTensor("old.weight", [2], [5, 6])],
    node: [node("MatMul", ["x", "fc.weight"], ["y"], "/fc/MatMul")],
  };
  const model = decodeModel(modelBytes(graph), "g.onnx");

  it("leaves out what no output depends on of what a pattern names", () => {
    const ownership = decideOwnership(model, { private: ["*"] });

    const { storedWeights } = importModel(model, { ownership });

    expect(privateNames(ownership)).toEqual(["fc.weight", "old.weight"]);
    expect([...storedWeights.keys()]).toEqual(["fc.weight"]);
  });

  it("leads to a refusal of a pattern that names only such weights", () => {
    const ownership = decideOwnership(model, { private: ["fc.*", "o*.weight"] });

    const run = () => importModel(model, { ownership });

    expect(codesOf(run)).toEqual(["MRL0425"]);
    expect(run).toThrow("no output depends on what --private o*.weight names: old.weight");
  });

  it("takes the name of one weight for more than a pattern for many", () => {
    const labelsWith = (secret: string, open: string) =>
      decideOwnership(model, { private: [secret], public: [open], allowAllPublic: true }).table.map(
        ({ label }) => label,
      );

    expect(labelsWith("*", "fc.weight")).toEqual(["public", "server"]);
    expect(labelsWith("*", "fc.*")).toEqual(["server", "server"]);
    expect(labelsWith("fc.weight", "fc.weight")).toEqual(["server", "public"]);
  });

  it("lets the user make weights public that the base does not have", () => {
    const ownership = decideOwnership(model, { private: ["fc.*"], public: ["old.*"] });

    expect(ownership.table.map(({ label }) => label)).toEqual(["server", "public"]);
  });

  describe("with an unnamed weight", () => {
    const unnamedGraph = {
      ...graph,
      initializer: [floatTensor("onnx::MatMul_7", [2, 2], [1, -2, 3, 5]), floatTensor("fc.bias", [2], [5, 6])],
      node: [node("MatMul", ["x", "onnx::MatMul_7"], ["h"]), node("Add", ["h", "fc.bias"], ["y"])],
    };
    const unnamed = decodeModel(modelBytes(unnamedGraph), "lost.onnx");

    it("makes it private when patterns decide", () => {
      const { table } = decideOwnership(unnamed, { private: ["fc.*"] });

      expect(table.map(({ label }) => label)).toEqual(["server", "server"]);
    });

    it("makes it public when a pattern says so", () => {
      const { table } = decideOwnership(unnamed, { private: ["fc.*"], public: ["onnx::*"] });

      expect(table.map(({ label }) => label)).toEqual(["public", "server"]);
    });
  });

  describe("beside a base with a value that a half cannot hold", () => {
    const fineBase = () => {
      const bytes = new Uint8Array(Float32Array.of(1, 2, 3 + 2 ** -20, 4).buffer);
      const path = join(folder, "fine.safetensors");
      writeFileSync(path, writeSafetensors([{ name: "fc.weight", dtype: "float32", shape: [2, 2], bytes }]));
      return openBaseModel(path);
    };

    it("makes a float32 weight private, because the two differ", () => {
      const ownership = decideOwnership(model, { base: fineBase() });

      expect(lineOf(ownership, "fc.weight").label).toBe("server");
    });

    it("accepts an export in halves as equal", () => {
      const oneToFour = new Uint8Array(Uint16Array.of(0x3c00, 0x4000, 0x4200, 0x4400).buffer);
      const initializer = [{ name: "fc.weight", dims: [2, 2], dataType: 10, rawData: oneToFour }];
      const halves = decodeModel(modelBytes({ ...graph, initializer }), "half.onnx");

      const ownership = decideOwnership(halves, { base: fineBase(), allowAllPublic: true });

      expect(publicNames(ownership)).toEqual(["fc.weight"]);
    });
  });
});
