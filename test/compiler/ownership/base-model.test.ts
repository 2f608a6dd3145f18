import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { decodeModel } from "../../../compiler/onnx/format/decode-model.ts";
import { openBaseModel } from "../../../compiler/ownership/base-model.ts";
import {
  decideOwnership,
  type OwnershipOptions,
  type OwnershipRecord,
} from "../../../compiler/ownership/decide-ownership.ts";
import type { Dtype } from "../../../compiler/tensors/dtype.ts";
import { encodeWeight, roundTensor } from "../../../compiler/tensors/rounding.ts";
import { type SafetensorsTensor, writeSafetensors } from "../../../compiler/tensors/safetensors.ts";
import { transpose } from "../../../compiler/tensors/tensor-ops.ts";
import { type Tensor, tensor } from "../../../ir/tensor.ts";
import { numbers } from "../../end-to-end/tiny-model.ts";
import { codesOf, floatInfo, modelBytes, node } from "../onnx/format/build-model.ts";

const folder = mkdtempSync(join(tmpdir(), "marillc-base-"));
afterAll(() => rmSync(folder, { recursive: true }));

const [vocabulary, width, inner] = [7, 4, 6];
const onnxTypes: Partial<Record<Dtype, number>> = { float32: 1, float16: 10, bfloat16: 16 };
const draw = (shape: readonly number[], seed: number): Tensor =>
  tensor(
    shape,
    Float64Array.from(
      numbers(
        shape.reduce((a, b) => a * b),
        seed,
        1,
      ),
    ),
  );

/** In the layout of a training framework: linear layers are [out, in]. The head is tied to the embedding. */
const parameters: ReadonlyMap<string, Tensor> = new Map([
  ["model.embed_tokens.weight", draw([vocabulary, width], 1)],
  ["model.layers.0.up.weight", draw([inner, width], 2)],
  ["model.layers.0.down.weight", draw([width, inner], 3)],
  ["model.layers.1.up.weight", draw([inner, width], 4)],
  ["model.layers.1.down.weight", draw([width, inner], 5)],
  ["model.norm.weight", draw([width], 6)],
]);
const up = "model.layers.0.up.weight";

/** As TorchScript exports it: matrices are transposed and renamed, and the head is a matrix of its own. */
function exported(values: ReadonlyMap<string, Tensor>, dtype: Dtype, name = "tuned.onnx"): Uint8Array {
  const stored = (initializer: string, { shape, data }: Tensor) => {
    return { name: initializer, dims: [...shape], dataType: onnxTypes[dtype]!, rawData: encodeWeight(dtype, { data }) };
  };
  const linear = (parameter: string, at: number) =>
    stored(`onnx::MatMul_${at}`, transpose(roundTensor(values.get(parameter)!, dtype)));
  const embedding = values.get("model.embed_tokens.weight")!;
  return modelBytes({
    name,
    initializer: [
      stored("model.embed_tokens.weight", roundTensor(embedding, dtype)),
      linear(up, 50),
      linear("model.layers.0.down.weight", 51),
      linear("model.layers.1.up.weight", 52),
      linear("model.layers.1.down.weight", 53),
      stored("model.norm.weight", roundTensor(values.get("model.norm.weight")!, dtype)),
      stored("onnx::MatMul_54", transpose(roundTensor(values.get("lm_head.weight") ?? embedding, dtype))),
    ],
    input: [{ name: "ids", type: { tensorType: { elemType: 7, shape: { dim: [{ dimValue: 3 }] } } } }],
    output: [floatInfo("logits", 3, vocabulary)],
    node: [
      node("Gather", ["model.embed_tokens.weight", "ids"], ["x0"], "/model/embed_tokens/Gather"),
      ...[0, 1].flatMap((layer) => [
        node(
          "MatMul",
          [`x${layer}`, `onnx::MatMul_${50 + 2 * layer}`],
          [`u${layer}`],
          `/model/layers.${layer}/up/MatMul`,
        ),
        node("Relu", [`u${layer}`], [`r${layer}`], `/model/layers.${layer}/Relu`),
        node(
          "MatMul",
          [`r${layer}`, `onnx::MatMul_${51 + 2 * layer}`],
          [`x${layer + 1}`],
          `/model/layers.${layer}/down/MatMul`,
        ),
      ]),
      node("Mul", ["x2", "model.norm.weight"], ["n"], "/model/norm/Mul"),
      node("MatMul", ["n", "onnx::MatMul_54"], ["logits"], "/lm_head/MatMul"),
    ],
  });
}

function shard(name: string, dtype: Dtype, names: readonly string[]): string {
  const tensors = names.map((parameter): SafetensorsTensor => {
    const { shape, data } = roundTensor(parameters.get(parameter)!, dtype);
    return { name: parameter, dtype, shape, bytes: encodeWeight(dtype, { data }) };
  });
  const path = join(folder, name);
  writeFileSync(path, writeSafetensors(tensors));
  return path;
}

const single = (dtype: Dtype): string => shard(`${dtype}.safetensors`, dtype, [...parameters.keys()]);

function sharded(dtype: Dtype): string {
  const home = `sharded-${dtype}`;
  mkdirSync(join(folder, home), { recursive: true });
  const names = [...parameters.keys()];
  const weightMap = Object.fromEntries(names.map((name, at) => [name, `model-${1 + (at % 2)}.safetensors`]));
  for (const at of [0, 1]) {
    shard(
      `${home}/model-${1 + at}.safetensors`,
      dtype,
      names.filter((_, place) => place % 2 === at),
    );
  }
  writeFileSync(join(folder, home, "model.safetensors.index.json"), JSON.stringify({ weight_map: weightMap }));
  return join(folder, home);
}

function onnx(dtype: Dtype): string {
  const path = join(folder, `${dtype}.onnx`);
  writeFileSync(path, exported(parameters, dtype));
  return path;
}

function owners(bytes: Uint8Array, base: string, more: OwnershipOptions = {}): ReadonlyMap<string, OwnershipRecord> {
  const model = decodeModel(bytes, "tuned.onnx");
  const { table } = decideOwnership(model, { base: openBaseModel(base), allowAllPublic: true, ...more });
  return new Map(table.map((line) => [line.name, line]));
}
const secrets = (found: ReadonlyMap<string, OwnershipRecord>): readonly string[] =>
  [...found.values()].flatMap(({ name, label }) => (label === "server" ? [name] : []));

/** The base with one element of a parameter changed, by this fraction of itself. */
function nudged(name: string, by: number): ReadonlyMap<string, Tensor> {
  const { shape, data } = parameters.get(name) ?? parameters.get("model.embed_tokens.weight")!;
  const moved = data.map((value, at) => (at === 5 % data.length ? Math.fround(value * (1 + by)) : value));
  return new Map([...parameters, [name, { shape, data: moved }]]);
}

describe("a base", () => {
  it.each<[string, () => string, Dtype]>([
    ["one file", () => single("float32"), "float32"],
    ["shards", () => sharded("float32"), "float32"],
    ["an ONNX model", () => onnx("float32"), "float32"],
    ["bfloat16", () => sharded("bfloat16"), "bfloat16"],
    ["float16", () => single("float16"), "float16"],
    ["float32, of which the model is the float16", () => single("float32"), "float16"],
    ["float32 in ONNX, of which the model is the bfloat16", () => onnx("float32"), "bfloat16"],
  ])("knows all its weights: %s", (_, base, dtype) => {
    const found = owners(exported(parameters, dtype), base());
    expect(secrets(found)).toEqual([]);
    expect(found.get(up)!.why).toContain(`equal to ${up}`);
    // The base has no head: it is tied to the embedding.
    expect(found.get("lm_head.weight")!.why).toMatch(/(has the values of model.embed_tokens|equal to lm_head).weight/);
  });

  it.each<[string, Dtype, Dtype]>([
    ["bfloat16", "bfloat16", "float32"],
    ["float16", "float16", "float32"],
  ])("in %s knows a model that was widened to float32", (_, kept, dtype) => {
    const widened = new Map([...parameters].map(([name, value]) => [name, roundTensor(value, kept)]));
    expect(secrets(owners(exported(widened, dtype), single(kept)))).toEqual([]);
    // The float32 values before rounding are not those of the base.
    expect(secrets(owners(exported(parameters, dtype), single(kept)))).toHaveLength(parameters.size + 1);
  });

  it.each<[string, () => string]>([
    ["one file", () => single("float32")],
    ["shards", () => sharded("float32")],
    ["an ONNX model", () => onnx("float32")],
  ])("does not own what is close: %s", (_, base) => {
    for (const name of [up, "model.norm.weight", "lm_head.weight"]) {
      const found = owners(exported(nudged(name, 2 ** -22), "float32"), base());
      expect(secrets(found)).toEqual([name]);
      const { why, moved, sha256 } = found.get(name)!;
      expect(sha256).toBeUndefined();
      if (why.includes("differs")) expect(moved).toBe(1);
      else expect(why).toContain("has no such tensor");
    }
  });

  it("does not own a tensor at another position: the new position is private", () => {
    const swapped = new Map(parameters);
    swapped.set(up, parameters.get("model.layers.1.up.weight")!);
    swapped.set("model.layers.1.up.weight", parameters.get(up)!);
    const found = owners(exported(swapped, "float32"), single("float32"));
    expect(secrets(found)).toEqual([up, "model.layers.1.up.weight"]);
    expect(found.get(up)!.moved).toBe(inner * width);
  });

  it("is distinguished from a private copy of a public matrix by refusing the copy", () => {
    const copied = new Map([...parameters, [up, parameters.get("model.layers.1.up.weight")!]]);
    const base = single("float32");
    expect(codesOf(() => owners(exported(copied, "float32"), base))).toEqual(["MRL0424"]);
    const both = { private: ["model.layers.1.up.*"] };
    expect(secrets(owners(exported(copied, "float32"), base, both))).toEqual([up, "model.layers.1.up.weight"]);
  });

  it("makes a tied head private together with the embedding, or not at all", () => {
    const base = single("float32");
    const bytes = exported(parameters, "float32");
    expect(codesOf(() => owners(bytes, base, { private: ["lm_head.*"] }))).toEqual(["MRL0424"]);
    const both = owners(bytes, base, { private: ["lm_head.*", "model.embed_tokens.*"] });
    expect(secrets(both)).toEqual(["model.embed_tokens.weight", "lm_head.weight"]);
  });
});
