import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { onnxFields, splitFields, stringsOf } from "../../../compiler/onnx/format/protobuf-edit.ts";
import { readTensor } from "../../../compiler/onnx/format/read-tensor.ts";
import { readModel } from "../../../compiler/onnx/normalize/read-model.ts";
import { catalogWeights } from "../../../compiler/onnx/weights/catalog-weights.ts";
import { makeStudent } from "../../../compiler/student/make-student.ts";
import { tensor } from "../../../ir/tensor.ts";
import { marillc, marillcJson } from "../../cli/run-cli.ts";
import { models } from "../../harness/fixtures.ts";
import { codesOf, floatInfo, floatTensor, modelBytes, node, smallModel } from "../onnx/format/build-model.ts";
import { farthest, type Inputs, runOnnx, studentAt } from "./student-models.ts";

const dir = mkdtempSync(join(tmpdir(), "marillc-student-"));
afterAll(() => rmSync(dir, { recursive: true }));

const fixture = resolve(import.meta.dirname, "../../../fixtures/date-llama");
const base = join(fixture, "base-ts17.onnx");
const bytesOf = (path: string): Uint8Array => new Uint8Array(readFileSync(path));

/** The fields of a model's graph, one entry of each list by its name or first output. */
function partsOf(model: Uint8Array): ReadonlyMap<string, string> {
  const graph = splitFields(model).find(({ number }) => number === onnxFields.model.graph)!.body;
  const nameIn: Readonly<Record<number, number>> = { 1: 2, 5: 8, 11: 1, 12: 1, 13: 1 };
  return new Map(
    splitFields(graph).map(({ number, body }, at) => {
      const name = nameIn[number] === undefined ? at : stringsOf(body, nameIn[number]).find(Boolean);
      return [`${number} ${name}`, Buffer.from(body).toString("base64")];
    }),
  );
}

describe("the file of a student", () => {
  it("equals the source byte for byte without any change", () => {
    for (const name of ["base-ts17.onnx", "base-dy18.onnx"]) {
      const source = join(fixture, name);
      const { model, data, manifest } = makeStudent({ model: source, dataFile: "base.weights" });
      expect(data.length).toBeGreaterThan(0);
      const [was, is] = [partsOf(bytesOf(source)), partsOf(model)];
      expect([...is.keys()]).toEqual([...was.keys()]);
      // External weights lie elsewhere; everything else is unchanged.
      for (const [key, part] of was) if (!key.startsWith("5 ")) expect(is.get(key)).toBe(part);
      expect(manifest.sameFunction).toBe(true);
    }
    const small = join(dir, "small.onnx");
    writeFileSync(small, smallModel());
    expect(makeStudent({ model: small, dataFile: "" }).model).toEqual(new Uint8Array(smallModel()));
  });

  it("changes only the merged attentions", () => {
    for (const name of ["base-ts17.onnx", "base-dy18.onnx"]) {
      const source = join(fixture, name);
      const path = join(dir, "half", name);
      studentAt(path, { model: source, freeze: 0.5, heads: { what: "merge", size: 2 } });
      const [was, is] = [partsOf(bytesOf(source)), partsOf(bytesOf(path))];
      const changed = [...was]
        .filter(([key, part]) => !key.startsWith("5 ") && is.get(key) !== part)
        .map(([key]) => key);
      const nodes = changed.filter((key) => key.startsWith("1 "));
      if (name.includes("ts17")) expect(nodes.every((key) => /layers\.[345]\/self_attn\//.test(key))).toBe(true);
      // Per layer, two products change, and the nodes that repeat keys and values and transpose keys disappear.
      expect(nodes.length).toBeLessThanOrEqual(3 * 30);
      expect([...readModel(path).graph.initializers.keys()].slice(0, 56)).toEqual(
        [...readModel(source).graph.initializers.keys()].slice(0, 56),
      );
    }
  });

  it("depends on no other file, and is the same each time", async () => {
    const path = join(dir, "alone", "student.onnx");
    const options = { model: base, freeze: 0.5, heads: { what: "merge", size: 2, grouping: "similarity" } } as const;
    const { manifest } = studentAt(path, options);
    const data = bytesOf(join(dir, "alone", "student.weights"));
    const again = studentAt(path, options);
    expect(Buffer.compare(again.model, bytesOf(path))).toBe(0);
    expect(Buffer.compare(bytesOf(join(dir, "alone", "student.weights")), data)).toBe(0);
    const [source, student] = [readModel(base), readModel(path)];
    for (const { name, change } of manifest.weights) {
      const [was, is] = [source, student].map((model) => readTensor(model, model.graph.initializers.get(name)!));
      const equal = is!.shape.join() === was!.shape.join() && is!.data.every((value, at) => value === was!.data[at]);
      expect([name, equal]).toEqual([name, change === undefined]);
      expect(student.graph.initializers.get(name)!.source.kind).toBe(source.graph.initializers.get(name)!.source.kind);
    }
    const ids = tensor(
      [1, 48],
      Float64Array.from({ length: 48 }, (_, at) => (at * 7) % 96),
    );
    const inputs: Inputs = new Map([["input_ids", { dtype: "int64" as const, tensor: ids }]]);
    expect((await runOnnx(path, inputs)).get("logits")!.shape).toEqual([1, 48, 96]);
  });

  it("refuses to change a weight that is listed as an input", () => {
    const path = join(dir, "listed.onnx");
    const weight = floatTensor("layers.0.w", [2, 2], [1, 2, 3, 4]);
    const listed = modelBytes({
      name: "listed",
      initializer: [weight],
      input: [floatInfo("x", 1, 2), floatInfo("layers.0.w", 2, 2)],
      output: [floatInfo("y", 1, 2)],
      node: [node("MatMul", ["x", "layers.0.w"], ["y"], "/layers.0/MatMul")],
    });
    writeFileSync(path, listed);
    // A branch beside a weight does not change it.
    const { model } = makeStudent({ model: path, dataFile: "", lora: { rank: 1, alpha: 1, freezeA: false } });
    expect([...partsOf(model).keys()]).toContain("11 layers.0.w");
  });
});

describe("low-rank changes", () => {
  const lora = { rank: 4, alpha: 8, freezeA: false };

  it("do not change the function until they are trained", async () => {
    const path = join(dir, "lora", "student.onnx");
    const { manifest } = studentAt(path, { model: base, freeze: 0.5, lora });
    expect(manifest.sameFunction).toBe(true);
    expect(manifest.layers).toEqual({ frozen: 3, of: 6 });
    const modules = [3, 4, 5].flatMap((layer) =>
      [
        "self_attn.q_proj",
        "self_attn.k_proj",
        "self_attn.v_proj",
        "self_attn.o_proj",
        "mlp.gate_proj",
        "mlp.up_proj",
        "mlp.down_proj",
      ].map((name) => `model.layers.${layer}.${name}`),
    );
    expect(manifest.lora!.modules).toEqual(modules);
    const trained = manifest.weights.filter((weight) => weight.trained).map(({ name }) => name);
    expect(trained).toEqual(modules.flatMap((name) => [`${name}.lora_A.weight`, `${name}.lora_B.weight`]));
    const ids = tensor(
      [1, 48],
      Float64Array.from({ length: 48 }, (_, at) => (at * 5) % 96),
    );
    const inputs: Inputs = new Map([["input_ids", { dtype: "int64" as const, tensor: ids }]]);
    const [was, is] = [await runOnnx(base, inputs), await runOnnx(path, inputs)];
    expect(farthest(is.get("logits")!, was.get("logits")!)).toBe(0);
  });

  it("freeze A on request, and use the named targets", () => {
    const student = makeStudent({
      model: base,
      dataFile: "w",
      freeze: 0.5,
      lora: { ...lora, freezeA: true, targets: ["q_proj", "mlp.up_proj"] },
    });
    expect(student.manifest.lora!.modules).toHaveLength(6);
    const trained = student.manifest.weights.filter((weight) => weight.trained).map(({ name }) => name);
    expect(trained).toHaveLength(6);
    expect(trained.every((name) => name.endsWith(".lora_B.weight"))).toBe(true);
    const wrong = { ...lora, targets: ["qkv"] };
    expect(codesOf(() => makeStudent({ model: base, dataFile: "w", lora: wrong }))).toEqual(["MRL0682"]);
  });

  describe("in a model within a wrapper", () => {
    it("have names in the style of the model's", () => {
      const path = join(dir, "wrapped.onnx");
      const { manifest } = studentAt(path, { model: join(models, "dev_llama_dy18_static", "model.onnx"), lora });
      const added = manifest.weights.filter(({ change }) => change === "new");
      expect(added).toHaveLength(2 * 14);
      expect(added.every(({ name, parameter }) => name === `m.${parameter}`)).toBe(true);
      const names = new Set([...catalogWeights(readModel(path)).weights.values()].map(({ name }) => name));
      for (const { parameter } of manifest.weights) expect(names).toContain(parameter);
    });
  });

  it("fit beside merged and beside pruned heads", async () => {
    const ids = tensor(
      [1, 48],
      Float64Array.from({ length: 48 }, (_, at) => (at * 11) % 96),
    );
    const inputs: Inputs = new Map([["input_ids", { dtype: "int64" as const, tensor: ids }]]);
    for (const what of ["merge", "prune"] as const) {
      const [plain, both] = [join(dir, `${what}.onnx`), join(dir, `${what}-lora.onnx`)];
      studentAt(plain, { model: base, freeze: 0.5, heads: { what, size: 2 } });
      studentAt(both, { model: base, freeze: 0.5, heads: { what, size: 2 }, lora });
      const [was, is] = [await runOnnx(plain, inputs), await runOnnx(both, inputs)];
      expect(farthest(is.get("logits")!, was.get("logits")!)).toBeLessThan(1e-5);
    }
  });
});

describe("freezing", () => {
  const trainedBy = (model: string, freeze: number): readonly string[] =>
    makeStudent({ model, dataFile: "w", freeze })
      .manifest.weights.filter(({ trained }) => trained)
      .map(({ parameter }) => parameter);

  it("keeps a prefix of the layers, and the vocabulary", () => {
    const layerOf = (name: string): number => Number(/layers\.(\d+)/.exec(name)?.[1] ?? -1);
    const half = trainedBy(base, 0.5);
    expect(half.filter((name) => !/layers\.[345]\./.test(name))).toEqual(["model.norm.weight"]);
    expect(half).toHaveLength(3 * 9 + 1);
    expect(new Set(trainedBy(base, 0.25).map(layerOf))).toEqual(new Set([1, 2, 3, 4, 5, -1]));
    expect(trainedBy(base, 0)).not.toContain("lm_head.weight");
    expect(trainedBy(base, 1)).toEqual([]);
  });

  describe("of a classifier", () => {
    it("trains everything after the last layer", () => {
      const model = join(models, "dev_bert_dy18_static", "model.onnx");
      const trained = trainedBy(model, 0.5).filter((name) => !name.includes("layer.1."));
      expect(trained.sort()).toEqual([
        "bert.pooler.dense.bias",
        "bert.pooler.dense.weight",
        "classifier.bias",
        "classifier.weight",
      ]);
    });
  });
});

describe("marillc rewrite", () => {
  it("writes the student and its manifest", async () => {
    const out = join(dir, "cli", "student.onnx");
    const { code, json } = await marillcJson<{ files: Record<string, string>; manifest: { source: string } }>(
      ...[
        "rewrite",
        base,
        "--freeze",
        "0.5",
        "--lora-rank",
        "8",
        "--merge-heads",
        "2",
        "--grouping",
        "similarity",
        "-o",
        out,
      ],
    );
    expect(code).toBe(0);
    expect(Object.keys(json.files)).toEqual(["model", "data", "manifest"]);
    for (const path of Object.values(json.files)) expect(existsSync(path)).toBe(true);
    // Text is generated with it once it is tuned.
    expect(existsSync(join(dir, "cli", "tokenizer.json"))).toBe(true);
    expect(JSON.parse(readFileSync(json.files.manifest!, "utf8"))).toEqual(json.manifest);
    const shown = await marillcJson<{ manifest: unknown }>("inspect", json.files.manifest!);
    expect(shown.json.manifest).toEqual(json.manifest);
    const { out: text } = await marillc("inspect", json.files.manifest!);
    for (const part of ["3 of 6 frozen", "tune it before", "0+2 1+3", "rank 8"]) expect(text).toContain(part);
    writeFileSync(join(dir, "wrong.manifest.json"), "{}");
    const wrong = await marillcJson<{ error: readonly { code: string }[] }>(
      "inspect",
      join(dir, "wrong.manifest.json"),
    );
    expect([wrong.code, wrong.json.error[0]!.code]).toEqual([1, "MRL0687"]);
  });

  it("never overwrites its source", async () => {
    mkdirSync(join(dir, "same"));
    const source = join(dir, "same", "small.onnx");
    writeFileSync(source, smallModel());
    const { code, json } = await marillcJson<{ error: readonly { code: string }[] }>("rewrite", source, "-o", source);
    expect([code, json.error[0]!.code]).toEqual([1, "MRL0685"]);
    expect(bytesOf(source)).toEqual(new Uint8Array(smallModel()));
  });
});
