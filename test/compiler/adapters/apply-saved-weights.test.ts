import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { resolveModelOptions } from "../../../compiler/api/model-options.ts";
import { loadModel } from "../../../compiler/load/load-model.ts";
import { encodeElements } from "../../../compiler/tensors/element-codecs.ts";
import { writeSafetensors } from "../../../compiler/tensors/safetensors.ts";
import { tensor } from "../../../ir/tensor.ts";
import { numbers } from "../../end-to-end/tiny-model.ts";
import { codesOf, floatInfo, floatTensor, modelBytes, node } from "../onnx/format/build-model.ts";
import { runImported } from "../onnx/import/recorded.ts";

const dir = mkdtempSync(join(tmpdir(), "marillc-whole-"));
afterAll(() => rmSync(dir, { recursive: true }));

const [rows, width, inner, classes, rank, alpha] = [2, 4, 6, 3, 2, 8];
/** Row-major; linear layers in the layout of the training framework: [out, in]. */
const base = {
  up: numbers(inner * width, 1, 0.5),
  upBias: numbers(inner, 2, 0.5),
  head: numbers(classes * inner, 3, 0.5),
  headBias: numbers(classes, 4, 0.5),
};
type Weights = typeof base;
const tuned = {
  head: numbers(classes * inner, 13, 0.5),
  headBias: numbers(classes, 14, 0.5),
  upBias: numbers(inner, 12, 0.5),
};
const lora = { a: numbers(rank * width, 20, 0.5), b: numbers(inner * rank, 21, 0.5) };

/** up (transposed and renamed by the exporter) → relu → a head that kept its name and layout. */
const model = join(dir, "base.onnx");
const turned = base.up.map((_, at) => base.up[(at % inner) * width + Math.floor(at / inner)]!);
writeFileSync(
  model,
  modelBytes({
    name: "classifier",
    initializer: [
      floatTensor("onnx::MatMul_30", [width, inner], turned),
      floatTensor("bert.up.bias", [inner], base.upBias),
      floatTensor("classifier.weight", [classes, inner], base.head),
      floatTensor("classifier.bias", [classes], base.headBias),
    ],
    input: [floatInfo("x", rows, width)],
    output: [floatInfo("y", rows, classes)],
    node: [
      node("MatMul", ["x", "onnx::MatMul_30"], ["p"], "/bert/up/MatMul"),
      node("Add", ["p", "bert.up.bias"], ["u"], "/bert/up/Add"),
      node("Relu", ["u"], ["r"], "/bert/Relu"),
      {
        ...node("Gemm", ["r", "classifier.weight", "classifier.bias"], ["y"], "/classifier/Gemm"),
        attribute: [{ name: "transB", type: 2, i: 1 }],
      },
    ],
  }),
);

type Stored = readonly [name: string, shape: readonly number[], values: readonly number[]];
const halves: readonly Stored[] = [
  ["bert.up.lora_A.weight", [rank, width], lora.a],
  ["bert.up.lora_B.weight", [inner, rank], lora.b],
];
const head: readonly Stored[] = [
  ["classifier.weight", [classes, inner], tuned.head],
  ["classifier.bias", [classes], tuned.headBias],
];

function adapter(config: object, tensors: readonly Stored[]): string {
  const folder = join(dir, "adapter");
  mkdirSync(folder, { recursive: true });
  const all = { peft_type: "LORA", r: rank, lora_alpha: alpha, target_modules: ["up"], ...config };
  writeFileSync(join(folder, "adapter_config.json"), JSON.stringify(all));
  const stored = [...halves, ...tensors].map(([name, shape, values]) => {
    const bytes = encodeElements("float32", Float64Array.from(values));
    return { name: `base_model.model.${name}`, dtype: "float32" as const, shape, bytes };
  });
  writeFileSync(join(folder, "adapter_model.safetensors"), writeSafetensors(stored));
  return folder;
}

const x = numbers(rows * width, 40, 1);
const given = new Map([["x", tensor([rows, width], Float64Array.from(x))]]);

/** y = relu(x·(W + α/r·B·A)ᵀ + b)·Hᵀ + h, element by element. */
function formula({ up, upBias, head: h, headBias }: Weights): number[] {
  const at = (values: readonly number[], columns: number, row: number, column: number) =>
    values[row * columns + column]!;
  const sum = (count: number, of: (k: number) => number) =>
    Array.from({ length: count }, (_, k) => of(k)).reduce((a, b) => a + b);
  const weight = (out: number, from: number) =>
    at(up, width, out, from) + (alpha / rank) * sum(rank, (k) => at(lora.b, rank, out, k) * at(lora.a, width, k, from));
  return Array.from({ length: rows * classes }, (_, place) => {
    const [row, kind] = [Math.floor(place / classes), place % classes];
    const hidden = (out: number) =>
      Math.max(0, sum(width, (k) => at(x, width, row, k) * weight(out, k)) + upBias[out]!);
    return sum(inner, (k) => hidden(k) * at(h, inner, kind, k)) + headBias[kind]!;
  });
}

function check(folder: string, weights: Weights, secrets: readonly string[]): void {
  for (const more of [{}, { base: model }]) {
    const { imported, ownership, surrogate } = loadModel(resolveModelOptions({ model, adapter: folder, ...more }));
    const [found] = [...runImported(imported, given).values()];
    const wanted = formula(weights);
    expect(Math.max(...wanted.map((value, at) => Math.abs(value - found!.data[at]!)))).toBeLessThan(1e-9);
    const server = ownership.table.filter(({ label }) => label === "server").map(({ name }) => name);
    expect(server.sort()).toEqual([...secrets, "bert.up.lora_A", "bert.up.lora_B"].sort());
    // Ranges are measured with the weights of the public model.
    expect(surrogate.initial).toEqual([]);
    const before = surrogate.weights.get("classifier.bias")!;
    expect([...before.data]).toEqual(base.headBias);
  }
}

describe("weights that an adapter trained fully", () => {
  it("gives the low-rank change alone without any", () => {
    check(adapter({}, []), base, []);
  });

  it("makes a head in modules_to_save private", () => {
    const folder = adapter({ modules_to_save: ["classifier", "score"] }, head);
    check(folder, { ...base, head: tuned.head, headBias: tuned.headBias }, ["classifier.weight", "classifier.bias"]);
    const { table } = loadModel(resolveModelOptions({ model, adapter: folder })).ownership;
    expect(table.find(({ name }) => name === "classifier.weight")!.why).toBe(
      `of the adapter in ${folder}, in place of the model's`,
    );
  });

  it("with bias=all, makes changed biases private and keeps the base's others", () => {
    const biases: readonly Stored[] = [
      ["bert.up.base_layer.bias", [inner], tuned.upBias],
      ["classifier.bias", [classes], base.headBias],
    ];
    check(adapter({ bias: "all" }, biases), { ...base, upBias: tuned.upBias }, ["bert.up.bias"]);
  });

  it("with bias=lora_only, takes the biases of layers with an adapter", () => {
    const biases: readonly Stored[] = [["bert.up.bias", [inner], tuned.upBias]];
    check(adapter({ bias: "lora_only" }, biases), { ...base, upBias: tuned.upBias }, ["bert.up.bias"]);
  });

  it("refuses weights that match none of the model, all at once", () => {
    const config = { bias: "all", modules_to_save: ["classifier"] };
    const foreign = adapter(config, [
      ["classifier.weight", [inner, classes], tuned.head],
      ["bert.down.bias", [inner], tuned.upBias],
    ]);
    expect(codesOf(() => loadModel(resolveModelOptions({ model, adapter: foreign })))).toEqual(["MRL0429", "MRL0429"]);
  });

  it("refuses an adapter that lacks a layer of its configuration", () => {
    const folder = adapter({ target_modules: ["up", "classifier"] }, [
      ["classifier.lora_A.weight", [rank, inner], numbers(rank * inner, 22, 0.5)],
      ["classifier.lora_B.weight", [classes, rank], numbers(classes * rank, 23, 0.5)],
    ]);
    expect(codesOf(() => loadModel(resolveModelOptions({ model, adapter: folder })))).toEqual([]);
    expect(
      codesOf(() =>
        loadModel(resolveModelOptions({ model, adapter: adapter({ target_modules: "bert.up|classifier" }, []) })),
      ),
    ).toEqual(["MRL0432"]);
  });

  it("accepts a saved embedding if it equals the model's, and refuses any other", () => {
    const single = join(dir, "single.onnx");
    const graph = {
      name: "single",
      initializer: [
        floatTensor("onnx::MatMul_30", [width, inner], turned),
        floatTensor("lm_head.weight", [classes, inner], base.head),
      ],
      input: [floatInfo("x", rows, width)],
      output: [floatInfo("y", rows, classes)],
      node: [
        node("MatMul", ["x", "onnx::MatMul_30"], ["p"], "/bert/up/MatMul"),
        node("Transpose", ["lm_head.weight"], ["t"], "/lm_head/Transpose"),
        node("MatMul", ["p", "t"], ["y"], "/lm_head/MatMul"),
      ],
    };
    writeFileSync(single, modelBytes(graph));
    const saved = (values: readonly number[], config = {}) =>
      adapter(config, [["lm_head.weight", [classes, inner], values]]);
    const { ownership } = loadModel(resolveModelOptions({ model: single, adapter: saved(base.head) }));
    expect(ownership.table.find(({ name }) => name === "lm_head.weight")!.label).toBe("public");
    expect(codesOf(() => loadModel(resolveModelOptions({ model: single, adapter: saved(tuned.head) })))).toEqual([
      "MRL0429",
    ]);
    const trained = () => saved(tuned.head, { modules_to_save: ["lm_head"] });
    const exchanged = loadModel(resolveModelOptions({ model: single, adapter: trained() })).ownership;
    expect(exchanged.table.find(({ name }) => name === "lm_head.weight")!.label).toBe("server");
  });

  it("refuses to replace a weight that the model uses elsewhere too", () => {
    const path = join(dir, "twice.onnx");
    const ids = { name: "ids", type: { tensorType: { elemType: 7, shape: { dim: [{ dimValue: rows }] } } } };
    const graph = {
      name: "twice",
      initializer: [
        floatTensor("onnx::MatMul_30", [inner, inner], numbers(inner * inner, 5, 0.5)),
        floatTensor("lm_head.weight", [classes, inner], base.head),
      ],
      input: [ids],
      output: [floatInfo("y", rows, classes)],
      node: [
        node("Gather", ["lm_head.weight", "ids"], ["x"], "/embed/Gather"),
        node("MatMul", ["x", "onnx::MatMul_30"], ["p"], "/bert/up/MatMul"),
        node("Transpose", ["lm_head.weight"], ["t"], "/lm_head/Transpose"),
        node("MatMul", ["p", "t"], ["y"], "/lm_head/MatMul"),
      ],
    };
    writeFileSync(path, modelBytes(graph));
    const folder = adapter({ modules_to_save: ["lm_head"] }, [["lm_head.weight", [classes, inner], tuned.head]]);
    expect(codesOf(() => loadModel(resolveModelOptions({ model: path, adapter: folder })))).toContain("MRL0429");
  });
});
