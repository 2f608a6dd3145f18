import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { onnxFields, splitFields, stringsOf } from "../../../compiler/onnx/format/protobuf-edit.ts";
import { readTensor } from "../../../compiler/onnx/format/read-tensor.ts";
import { readModel } from "../../../compiler/onnx/normalize/read-model.ts";
import { catalogWeights } from "../../../compiler/onnx/weights/catalog-weights.ts";
import { makeStudent, type Student } from "../../../compiler/student/make-student.ts";
import { type Tensor, tensor } from "../../../ir/tensor.ts";
import { models } from "../../harness/fixtures.ts";
import { codesOf, floatInfo, floatTensor, modelBytes, node, smallModel } from "../onnx/format/build-model.ts";
import { farthest, type Inputs, runOnnx, studentAt } from "./student-models.ts";

const dir = mkdtempSync(join(tmpdir(), "marillc-student-"));
afterAll(() => rmSync(dir, { recursive: true }));

const fixture = resolve(import.meta.dirname, "../../../fixtures/date-llama");
const base = join(fixture, "base-ts17.onnx");
const lora = { rank: 4, alpha: 8, freezeA: false };
const bytesOf = (path: string): Uint8Array => new Uint8Array(readFileSync(path));

/** Number of the list of weights in a graph. */
const initializers = "5 ";
/** Number of the list of nodes in a graph. */
const nodes = "1 ";

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

/** 48 token ids, of a vocabulary of 96, that step by a number. */
function tokensBy(stride: number): Inputs {
  const ids = Float64Array.from({ length: 48 }, (_, at) => (at * stride) % 96);
  return new Map([["input_ids", { dtype: "int64" as const, tensor: tensor([1, 48], ids) }]]);
}

const logitsOf = async (path: string, inputs: Inputs): Promise<Tensor> => (await runOnnx(path, inputs)).get("logits")!;

/** Names of the weights that training changes. */
const trainedNames = ({ manifest }: Student): string[] =>
  manifest.weights.filter(({ trained }) => trained).map(({ name }) => name);

describe("the file of a student", () => {
  it.each(["base-ts17.onnx", "base-dy18.onnx"])("has every part of %s without any change", (name) => {
    const source = join(fixture, name);
    const sourceParts = partsOf(bytesOf(source));

    const { model, data, manifest } = makeStudent({ model: source, dataFile: "base.weights" });

    const studentParts = partsOf(model);
    expect(data.length).toBeGreaterThan(0);
    expect(manifest.sameFunction).toBe(true);
    expect([...studentParts.keys()]).toEqual([...sourceParts.keys()]);
    // External weights lie elsewhere; everything else is unchanged.
    const unmoved = [...sourceParts].filter(([key]) => !key.startsWith(initializers));
    for (const [key, part] of unmoved) expect(studentParts.get(key)).toBe(part);
  });

  it("equals a source without external weights byte for byte without any change", () => {
    const source = join(dir, "small.onnx");
    writeFileSync(source, smallModel());

    const { model } = makeStudent({ model: source, dataFile: "" });

    expect(model).toEqual(new Uint8Array(smallModel()));
  });

  it.each([
    { name: "base-ts17.onnx", changedNode: /layers\.[345]\/self_attn\// },
    // Not every node of this export has a layer in its name: any may be one of them.
    { name: "base-dy18.onnx", changedNode: /./ },
  ])("changes only the merged attentions of $name", ({ name, changedNode }) => {
    const source = join(fixture, name);
    const path = join(dir, "half", name);

    studentAt(path, { model: source, freeze: 0.5, heads: { what: "merge", size: 2 } });

    const studentParts = partsOf(bytesOf(path));
    const changedNodes = [...partsOf(bytesOf(source))]
      .filter(([key, part]) => key.startsWith(nodes) && studentParts.get(key) !== part)
      .map(([key]) => key);
    const firstWeights = (model: string): string[] => [...readModel(model).graph.initializers.keys()].slice(0, 56);
    for (const key of changedNodes) expect(key).toMatch(changedNode);
    // Per layer, two products change, and the nodes that repeat keys and values and transpose keys disappear.
    expect(changedNodes.length).toBeLessThanOrEqual(3 * 30);
    expect(firstWeights(path)).toEqual(firstWeights(source));
  });

  describe("with merged heads", () => {
    const merged = { model: base, freeze: 0.5, heads: { what: "merge", size: 2, grouping: "similarity" } } as const;

    it("is the same each time", () => {
      const path = join(dir, "again", "student.onnx");
      const dataPath = join(dir, "again", "student.weights");
      studentAt(path, merged);
      const firstModel = bytesOf(path);
      const firstData = bytesOf(dataPath);

      const { model } = studentAt(path, merged);

      expect(Buffer.compare(model, firstModel)).toBe(0);
      expect(Buffer.compare(bytesOf(path), firstModel)).toBe(0);
      expect(Buffer.compare(bytesOf(dataPath), firstData)).toBe(0);
    });

    it("changes exactly the weights that the manifest lists as changed", () => {
      const path = join(dir, "listed-changes", "student.onnx");

      const { manifest } = studentAt(path, merged);

      const source = readModel(base);
      const student = readModel(path);
      for (const { name, change } of manifest.weights) {
        const before = source.graph.initializers.get(name)!;
        const after = student.graph.initializers.get(name)!;
        const was = readTensor(source, before);
        const is = readTensor(student, after);
        const same = is.shape.join() === was.shape.join() && is.data.every((value, at) => value === was.data[at]);
        expect(same, name).toBe(change === undefined);
        expect(after.source.kind, name).toBe(before.source.kind);
      }
    });

    it("runs with no other file than its own weights", async () => {
      const path = join(dir, "alone", "student.onnx");
      studentAt(path, merged);

      const logits = await logitsOf(path, tokensBy(7));

      expect(logits.shape).toEqual([1, 48, 96]);
    });
  });

  it("keeps a weight that is listed as an input, as a branch beside it does not change it", () => {
    const source = join(dir, "listed.onnx");
    const listed = modelBytes({
      name: "listed",
      initializer: [floatTensor("layers.0.w", [2, 2], [1, 2, 3, 4])],
      input: [floatInfo("x", 1, 2), floatInfo("layers.0.w", 2, 2)],
      output: [floatInfo("y", 1, 2)],
      node: [node("MatMul", ["x", "layers.0.w"], ["y"], "/layers.0/MatMul")],
    });
    writeFileSync(source, listed);

    const { model } = makeStudent({ model: source, dataFile: "", lora: { rank: 1, alpha: 1, freezeA: false } });

    expect([...partsOf(model).keys()]).toContain("11 layers.0.w");
  });
});

describe("low-rank changes", () => {
  const linearsOfLayer = [
    "self_attn.q_proj",
    "self_attn.k_proj",
    "self_attn.v_proj",
    "self_attn.o_proj",
    "mlp.gate_proj",
    "mlp.up_proj",
    "mlp.down_proj",
  ];

  it("do not change the function until they are trained", async () => {
    const path = join(dir, "lora", "student.onnx");
    const inputs = tokensBy(5);

    const { manifest } = studentAt(path, { model: base, freeze: 0.5, lora });

    const before = await logitsOf(base, inputs);
    const after = await logitsOf(path, inputs);
    expect(manifest.sameFunction).toBe(true);
    expect(farthest(after, before)).toBe(0);
  });

  it("train A and B of every linear module behind the frozen layers", () => {
    const modules = [3, 4, 5].flatMap((layer) => linearsOfLayer.map((name) => `model.layers.${layer}.${name}`));

    const student = makeStudent({ model: base, dataFile: "w", freeze: 0.5, lora });

    expect(student.manifest.layers).toEqual({ frozen: 3, of: 6 });
    expect(student.manifest.lora!.modules).toEqual(modules);
    expect(trainedNames(student)).toEqual(
      modules.flatMap((name) => [`${name}.lora_A.weight`, `${name}.lora_B.weight`]),
    );
  });

  it("freeze A on request, and use the named targets", () => {
    const onlyB = { ...lora, freezeA: true, targets: ["q_proj", "mlp.up_proj"] };

    const student = makeStudent({ model: base, dataFile: "w", freeze: 0.5, lora: onlyB });

    expect(student.manifest.lora!.modules).toHaveLength(6);
    expect(trainedNames(student)).toHaveLength(6);
    for (const name of trainedNames(student)) expect(name).toMatch(/\.lora_B\.weight$/);
  });

  it("are refused for a target that no module has", () => {
    const wrong = { ...lora, targets: ["qkv"] };

    const problems = codesOf(() => makeStudent({ model: base, dataFile: "w", lora: wrong }));

    expect(problems).toEqual(["MRL0682"]);
  });

  it("have names in the style of a model within a wrapper", () => {
    const source = join(models, "dev_llama_dy18_static", "model.onnx");
    const path = join(dir, "wrapped.onnx");

    const { manifest } = studentAt(path, { model: source, lora });

    const added = manifest.weights.filter(({ change }) => change === "new");
    const namesInModel = [...catalogWeights(readModel(path)).weights.values()].map(({ name }) => name);
    expect(added).toHaveLength(2 * 14);
    for (const { name, parameter } of added) expect(name).toBe(`m.${parameter}`);
    for (const { parameter } of manifest.weights) expect(namesInModel).toContain(parameter);
  });

  it.each(["merge", "prune"] as const)("fit beside heads after %s", async (what) => {
    const inputs = tokensBy(11);
    const onlyHeads = { model: base, freeze: 0.5, heads: { what, size: 2 as const } };
    const plainPath = join(dir, `${what}.onnx`);
    const loraPath = join(dir, `${what}-lora.onnx`);
    studentAt(plainPath, onlyHeads);

    studentAt(loraPath, { ...onlyHeads, lora });

    const plain = await logitsOf(plainPath, inputs);
    const withLora = await logitsOf(loraPath, inputs);
    expect(farthest(withLora, plain)).toBeLessThan(1e-5);
  });
});
