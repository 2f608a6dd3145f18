import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { factorizeMergedLora } from "../../../compiler/adapters/factorize-merged-lora.ts";
import { readPeftAdapter } from "../../../compiler/adapters/peft-adapter.ts";
import { type ModelOptions, resolveModelOptions } from "../../../compiler/api/model-options.ts";
import { type Compilation, compileModel } from "../../../compiler/compile/compile.ts";
import { type LoadedModel, loadModel } from "../../../compiler/load/load-model.ts";
import { readModel } from "../../../compiler/onnx/normalize/read-model.ts";
import { openBaseModel } from "../../../compiler/ownership/base-model.ts";
import type { Dtype } from "../../../compiler/tensors/dtype.ts";
import { writeNpz } from "../../../compiler/tensors/npz.ts";
import { encodeWeight, roundTensor } from "../../../compiler/tensors/rounding.ts";
import { writeSafetensors } from "../../../compiler/tensors/safetensors.ts";
import { transpose } from "../../../compiler/tensors/tensor-ops.ts";
import { matmulOf } from "../../../ir/ops/helpers/matmul.ts";
import { type Tensor, tensor } from "../../../ir/tensor.ts";
import { numbers } from "../../end-to-end/tiny-model.ts";
import { codesOf, floatInfo, floatTensor, modelBytes, node } from "../onnx/format/build-model.ts";
import { runImported, worst } from "../onnx/import/recorded.ts";

const dir = mkdtempSync(join(tmpdir(), "marillc-merged-"));
afterAll(() => rmSync(dir, { recursive: true }));
const at = (name: string): string => join(dir, name);

const [rows, width, inner, rank, alpha] = [3, 16, 24, 2, 6];
const draw = (shape: readonly [number, number], seed: number, size: number): Tensor =>
  tensor(shape, Float64Array.from(numbers(shape[0] * shape[1], seed, size)));

interface Layer {
  readonly module: string;
  /** [in, out] */
  readonly w: Tensor;
  readonly a: Tensor;
  readonly b: Tensor;
}
const layer = (name: string, from: number, to: number, seed: number): Layer => ({
  module: `model.layers.0.${name}`,
  w: draw([from, to], seed, 1 / Math.sqrt(from)),
  a: draw([from, rank], seed + 1, 0.3),
  b: draw([rank, to], seed + 2, 0.1),
});
const layers = [layer("up", width, inner, 10), layer("down", inner, width, 20)] as const;
const head = draw([width, 5], 30, 0.5);

type Form = "base" | "merged" | "traced" | "named" | "builder";

/** One linear layer in one of the forms of adapters: its nodes and stored tensors. */
function linear({ module, w, a, b }: Layer, from: string, to: string, form: Form, dtype: Dtype) {
  const path = `/${module.replaceAll(/\.(?!\d)/g, "/")}`;
  const stored = (name: string, { shape, data }: Tensor) => {
    return {
      name,
      dims: [...shape],
      dataType: { float32: 1, float16: 10 }[dtype as "float32"],
      rawData: encodeWeight(dtype, { data }),
    };
  };
  const scaled = { shape: b.shape, data: b.data.map((value) => (value * alpha) / rank) };
  if (form === "base" || form === "merged") {
    const change = matmulOf(a, scaled).data;
    const numbersOf = form === "base" ? w.data : w.data.map((value, k) => value + change[k]!);
    // Matrices that exporters renamed, and one that kept its name and its layout.
    const kept = module.endsWith("up");
    const name = kept ? `${module}.weight` : "onnx::MatMul_77";
    const matrix = { shape: w.shape, data: numbersOf };
    return {
      initializer: [stored(name, kept ? transpose(matrix) : matrix)],
      node: [
        ...(kept ? [node("Transpose", [name], [`${to}.t`])] : []),
        node("MatMul", [from, kept ? `${to}.t` : name], [to], `${path}/MatMul`),
      ],
    };
  }
  const [first, second] = {
    traced: [`${to}_716`, `${to}_717`],
    named: ["lora_A.default.weight", "lora_B.default.weight"].map((half) => `${module}.${half}`),
    builder: ["lora_A.MatMul.weight", "lora_B.MatMul.weight"].map((half) => `${module}.${half}`),
  }[form] as [string, string];
  const scopes =
    form === "traced" ? ["base_layer", "default", "default_1"] : ["base_layer", "lora_A/default", "lora_B/default"];
  const [onBase, onA, onB] = (
    form === "builder" ? ["MatMul", "lora_A/MatMul", "lora_B/MatMul"] : scopes.map((scope) => `${scope}/MatMul`)
  ).map((end) => `${path}/${end}`);
  // With folding off A and B are [r, in] and [out, r]; the builder has the scale in B.
  const turned = form === "named";
  const low = turned ? transpose(a) : a;
  const high = form === "builder" ? scaled : turned ? transpose(b) : b;
  return {
    initializer: [
      stored(`${to}_w`, w),
      stored(first, low),
      stored(second, high),
      ...(form === "builder" ? [] : [floatTensor(`onnx::Mul_${to}`, [], [alpha / rank])]),
    ],
    node: [
      node("MatMul", [from, `${to}_w`], [`${to}.base`], onBase),
      ...(turned ? [node("Transpose", [first], [`${to}.a`]), node("Transpose", [second], [`${to}.b`])] : []),
      node("MatMul", [from, turned ? `${to}.a` : first], [`${to}.low`], onA),
      node("MatMul", [`${to}.low`, turned ? `${to}.b` : second], [`${to}.high`], onB),
      ...(form === "builder" ? [] : [node("Mul", [`${to}.high`, `onnx::Mul_${to}`], [`${to}.change`], `${path}/Mul`)]),
      node("Add", [`${to}.base`, form === "builder" ? `${to}.high` : `${to}.change`], [to], `${path}/Add`),
    ],
  };
}

function write(name: string, form: Form, dtype: Dtype = "float32"): string {
  const [up, down] = [linear(layers[0], "x", "wide", form, dtype), linear(layers[1], "active", "narrow", form, dtype)];
  const bytes = modelBytes({
    name,
    initializer: [...up.initializer, ...down.initializer, floatTensor("head.weight", [width, 5], [...head.data])],
    input: [floatInfo("x", rows, width)],
    output: [floatInfo("y", rows, 5)],
    node: [
      ...up.node,
      node("Relu", ["wide"], ["active"], "/model/layers.0/Relu"),
      ...down.node,
      node("MatMul", ["narrow", "head.weight"], ["y"], "/head/MatMul"),
    ],
  });
  writeFileSync(at(name), bytes);
  return at(name);
}

function writeAdapter(dtype: Dtype = "float32"): string {
  const folder = at(`adapter-${dtype}`);
  mkdirSync(folder, { recursive: true });
  const config = { peft_type: "LORA", r: rank, lora_alpha: alpha, target_modules: ["up", "down"], bias: "none" };
  writeFileSync(join(folder, "adapter_config.json"), JSON.stringify(config));
  const tensors = layers.flatMap(({ module, a, b }) =>
    (
      [
        ["A", a],
        ["B", b],
      ] as const
    ).map(([half, matrix]) => {
      const { shape, data } = transpose(matrix);
      return {
        name: `base_model.model.${module}.lora_${half}.weight`,
        dtype,
        shape,
        bytes: encodeWeight(dtype, { data }),
      };
    }),
  );
  writeFileSync(join(folder, "adapter_model.safetensors"), writeSafetensors(tensors));
  return folder;
}

const x = tensor([rows, width], Float64Array.from(numbers(rows * width, 40, 1)));
const logits = ({ imported }: LoadedModel): Tensor => runImported(imported, new Map([["x", x]])).get("y")!;
const owned = (options: ModelOptions): LoadedModel => loadModel(resolveModelOptions(options));
const secrets = ({ ownership }: LoadedModel): readonly string[] =>
  ownership.table.flatMap(({ name, label }) => (label === "server" ? [name] : [])).sort();

const base = write("base.onnx", "base");
const wanted = logits(owned({ model: write("merged.onnx", "merged"), base }));

describe("the same adapter", () => {
  const halves = layers.flatMap(({ module }) => [`${module}.lora_A`, `${module}.lora_B`]).sort();
  const strip = (name: string): string => name.replace(/(\.default|\.MatMul)?(\.weight)?$/, "");

  it("is private as a whole when merged, unless its rank is given: then the base is public", () => {
    const whole = owned({ model: at("merged.onnx"), base });
    expect(secrets(whole)).toEqual(layers.map(({ module }) => `${module}.weight`).sort());
    const apart = owned({ model: at("merged.onnx"), base, mergedLora: { rank, tolerance: 1e-4 } });
    expect(secrets(apart)).toEqual(halves);
    expect(worst(logits(apart), wanted)).toBeLessThan(1e-5);
    expect(apart.ownership.table.at(-1)!.why).toBe("of the adapter merged into merged.onnx");
    // Its public part is the base, bit for bit, also in the file that the client's part is cut out of.
    const plain = owned({ model: base, base, adapter: writeAdapter() });
    const digests = ({ ownership }: LoadedModel) => ownership.table.flatMap(({ sha256 }) => sha256 ?? []);
    expect(digests(apart)).toEqual(digests(plain));
    expect(apart.surrogate.initial).toEqual([]);
  });

  it("in a folder", () => {
    const apart = owned({ model: base, base, adapter: writeAdapter() });
    expect(secrets(apart)).toEqual(halves);
    expect(worst(logits(apart), wanted)).toBeLessThan(1e-5);
  });

  it.each(["traced", "named", "builder"] as const)("in the graph: %s", (form) => {
    const apart = owned({ model: write(`${form}.onnx`, form), base });
    expect(secrets(apart).map(strip)).toEqual(halves);
    expect(worst(logits(apart), wanted)).toBeLessThan(1e-5);
    expect(apart.surrogate.initial).toEqual([]);
    const named = owned({ model: at(`${form}.onnx`), private: ["*.lora_*"] });
    expect(secrets(named)).toEqual(secrets(apart));
    // Without an option of the user the base is not made public, but the help names the option.
    expect(() => owned({ model: at(`${form}.onnx`) })).toThrow("--private '*.lora_*'");
  });

  it("gives the rounded values when its folder is in bfloat16", () => {
    const found = logits(owned({ model: base, base, adapter: writeAdapter("bfloat16") }));
    let value = x;
    layers.forEach(({ w, a, b }, k) => {
      const [low, high] = [roundTensor(a, "bfloat16"), roundTensor(b, "bfloat16")];
      const change = matmulOf(matmulOf(value, low), high).data;
      const plain = matmulOf(value, w);
      const data = plain.data.map((each, place) => each + (change[place]! * alpha) / rank);
      value = { shape: plain.shape, data: k === 0 ? data.map((each) => Math.max(0, each)) : data };
    });
    expect(worst(found, matmulOf(value, head))).toBeLessThan(1e-9);
    expect(worst(found, wanted)).toBeGreaterThan(1e-5);
  });
});

describe("--merged-lora", () => {
  const attempt = (options: Partial<ModelOptions>) =>
    codesOf(() => owned({ model: at("merged.onnx"), base, ...options }));

  it("factorizes a model in half precision, within the given tolerance", () => {
    const options = { model: write("half.onnx", "merged", "float16"), base };
    expect(attempt({ ...options, mergedLora: { rank, tolerance: 1e-4 } })).toEqual(["MRL0428", "MRL0428"]);
    const apart = owned({ ...options, mergedLora: { rank, tolerance: 0.02 } });
    expect(worst(logits(apart), wanted)).toBeLessThan(2e-2);
  });

  it("leaves no merged value in the client's files", () => {
    const calibrate = at("x.npz");
    writeFileSync(calibrate, writeNpz(new Map([["x", { dtype: "float32" as const, tensor: x }]])));
    const options = { reveal: { y: "client" as const }, calibrate, base };
    const [apart, whole] = [
      compileModel(
        resolveModelOptions({ ...options, model: at("merged.onnx"), mergedLora: { rank, tolerance: 1e-4 } }),
      ),
      compileModel(resolveModelOptions({ ...options, model: base, adapter: writeAdapter() })),
    ];
    const client = ({ files }: Compilation): readonly (readonly [string, string])[] =>
      [...files].flatMap(([path, bytes]): (readonly [string, string])[] =>
        path.startsWith("client/") && /\.(onnx|bin|weights)$/.test(path)
          ? [[path, Buffer.from(bytes).toString("hex")]]
          : [],
      );
    // Everything follows from the base and from shapes: the same bytes as for the adapter in a folder.
    expect(client(apart).length).toBeGreaterThan(0);
    expect(client(apart)).toEqual(client(whole));
    const prints = [apart, whole].map(({ manifest }) => manifest.predicted);
    expect(prints[0]).toEqual(prints[1]);
  });

  it("refuses a change of a higher rank, and a model that is its base", () => {
    expect(attempt({ mergedLora: { rank: 1, tolerance: 1e-4 } })).toEqual(["MRL0428", "MRL0428"]);
    expect(attempt({ mergedLora: { rank: 3, tolerance: 1e-4 } })).toEqual([]);
    expect(attempt({ model: base, mergedLora: { rank, tolerance: 1e-4 } })).toEqual(["MRL0428"]);
  });

  it("needs a base, and refuses an adapter beside it", () => {
    const codes = (options: Partial<ModelOptions>) =>
      codesOf(() => resolveModelOptions({ model: base, mergedLora: { rank, tolerance: 1e-4 }, ...options }));
    expect(codes({ base })).toEqual([]);
    expect(codes({})).toEqual(["MRL0654"]);
    expect(codes({ base, adapter: "adapter" })).toEqual(["MRL0654"]);
  });

  it("does not factorize weights that are declared private", () => {
    const apart = owned({
      model: at("merged.onnx"),
      base,
      private: ["*.down.*"],
      mergedLora: { rank, tolerance: 1e-4 },
    });
    expect(secrets(apart)).toEqual([
      "model.layers.0.down.weight",
      "model.layers.0.up.lora_A",
      "model.layers.0.up.lora_B",
    ]);
    expect(worst(logits(apart), wanted)).toBeLessThan(1e-5);
  });
});

describe("the fixture's adapter, trained and merged in PyTorch", () => {
  const fixture = (name: string): string => join(import.meta.dirname, "../../../fixtures/date-llama", name);

  it("is recovered by its rank, in every layer that has one", () => {
    const base = fixture("base-ts17.onnx");
    const model = readModel(fixture("merged-ts17.onnx"));
    const { adapter } = factorizeMergedLora(model, openBaseModel(base), { rank: 8, tolerance: 1e-4 });
    const wanted = new Map(readPeftAdapter(fixture("adapter")).modules.map((half) => [half.module, half]));
    expect(adapter.modules.map(({ module }) => module).sort()).toEqual([...wanted.keys()].sort());
    for (const { module, a, b } of adapter.modules) {
      const half = wanted.get(module)!;
      const change = matmulOf(half.a, half.b);
      const largest = Math.max(...change.data.map(Math.abs));
      // Merging rounded to single precision.
      expect(worst(matmulOf(a, b), change)).toBeLessThan(1e-4 * largest);
    }
    const [lower] = codesOf(() => factorizeMergedLora(model, openBaseModel(base), { rank: 7, tolerance: 1e-4 }));
    expect(lower).toBe("MRL0428");
  });
});
