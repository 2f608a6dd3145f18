import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { type ModelOptions, resolveModelOptions } from "../../compiler/api/model-options.ts";
import { compileModel } from "../../compiler/compile/compile.ts";
import { readInputTensors } from "../../compiler/inputs/input-tensors.ts";
import { loadImported } from "../../compiler/load/load-model.ts";
import { readInputFiles } from "../../compiler/run/input-files.ts";
import { openOnnxSession } from "../../compiler/run/onnx-session.ts";
import { writeNpz } from "../../compiler/tensors/npz.ts";
import { opsOf } from "../../ir/module.ts";
import { type Tensor, tensor } from "../../ir/tensor.ts";
import { declaredError } from "../../scripts/tables/declared-error.ts";
import { codesOf, floatInfo, floatTensor, modelBytes, node } from "../compiler/onnx/format/build-model.ts";
import { models } from "../harness/fixtures.ts";
import { build, inputsOf, queryOnce } from "./compiled.ts";
import { largestDifference } from "./declared-error.ts";
import { numbers } from "./tiny-model.ts";

/*
 * `--head logits`: the last product, with a public matrix of full rank, is the client's. It is shown the hidden state,
 * which the logits would tell it anyway, and computes them itself.
 */
const dir = mkdtempSync(join(tmpdir(), "marillc-head-"));
afterAll(() => rmSync(dir, { recursive: true }));

const [length, width, vocabulary] = [4, 8, 24];

/** tokens → public table → private layer → public head of more columns than rows. */
function languageModel(seed: number, bias: boolean, head: readonly number[]): Uint8Array {
  const int = { elemType: 7, shape: { dim: [{ dimValue: 1 }, { dimValue: length }] } };
  const matrix = (name: string, at: number) => floatTensor(name, [width, width], numbers(width * width, at, 0.5));
  return modelBytes({
    name: "language",
    initializer: [
      floatTensor("embed.weight", [vocabulary, width], numbers(vocabulary * width, 1, 1)),
      matrix("up.weight", seed),
      matrix("down.weight", seed + 1),
      floatTensor("lm_head.weight", [width, vocabulary], [...head]),
      ...(bias ? [floatTensor("lm_head.bias", [vocabulary], numbers(vocabulary, 4, 1))] : []),
    ],
    input: [{ name: "tokens", type: { tensorType: int } }],
    output: [floatInfo("logits", 1, length, vocabulary)],
    node: [
      node("Gather", ["embed.weight", "tokens"], ["embedded"], "/embed/Gather"),
      node("MatMul", ["embedded", "up.weight"], ["inner"], "/layers.0/up/MatMul"),
      node("Relu", ["inner"], ["active"], "/layers.0/Relu"),
      node("MatMul", ["active", "down.weight"], ["hidden"], "/layers.0/down/MatMul"),
      node("MatMul", ["hidden", "lm_head.weight"], [bias ? "product" : "logits"], "/lm_head/MatMul"),
      ...(bias ? [node("Add", ["product", "lm_head.bias"], ["logits"], "/lm_head/Add")] : []),
    ],
  });
}

/** Writes the model and its base; `head` are the numbers of the last matrix. */
function written(name: string, bias: boolean, head: readonly number[]): ModelOptions & { readonly input: string } {
  const at = (file: string): string => join(dir, `${name}-${file}`);
  const tokens = new Map([["tokens", { dtype: "int64" as const, tensor: tensor([1, length], [3, 17, 4, 23]) }]]);
  writeFileSync(at("model.onnx"), languageModel(21, bias, head));
  writeFileSync(at("base.onnx"), languageModel(31, bias, head));
  writeFileSync(at("tokens.npz"), writeNpz(tokens));
  const [model, base, input] = [at("model.onnx"), at("base.onnx"), at("tokens.npz")];
  return { model, base, input, calibrate: input, head: "logits", reveal: { logits: "client" } };
}

/** The error of the hidden state, through the head: independent errors of its numbers add as their squares do. */
function throughHead({ data }: Tensor, hidden: number, columns: number): number {
  const sums = new Float64Array(columns);
  data.forEach((x, at) => {
    sums[at % columns] = sums[at % columns]! + x * x;
  });
  return hidden * Math.sqrt(Math.max(...sums));
}

async function check(
  out: string,
  options: ModelOptions,
  inputs: readonly string[],
  expected: Tensor,
  head: Tensor,
): Promise<ReturnType<typeof build>> {
  const artifacts = build(out, options);
  const { manifest, files, module } = artifacts;
  expect(files.has("client/head.onnx")).toBe(true);
  const [rows, columns] = head.shape as [number, number];
  const [tail] = manifest.tails;
  expect(manifest.tails).toEqual([{ value: tail!.value, from: tail!.from, output: "logits" }]);
  // The hidden state is all that is opened.
  expect(manifest.reveals).toEqual([
    { value: tail!.value, tensor: tail!.from, to: "client", shape: [...expected.shape.slice(0, -1), rows] },
  ]);
  expect(opsOf(module).filter(({ name }) => name === "reveal")).toHaveLength(1);
  expect(manifest.caveats.join("\n")).toContain(`the client learns ${tail!.from}`);
  for (const { type } of Object.values(module.values)) expect(type.shape.at(-1)).not.toBe(columns);

  const { outputs, report } = await queryOnce(out, inputs);
  expect([...outputs.keys()]).toEqual(["logits"]);
  const found = outputs.get("logits")!;
  expect(found.shape).toEqual(expected.shape);
  const bound = throughHead(head, await declaredError(out, ...inputs), columns);
  expect(largestDifference(found.data, expected.data)).toBeLessThan(bound);
  expect(bound).toBeLessThan(Math.max(...expected.data.map(Math.abs)) / 4);
  expect(report.measured).toEqual(report.predicted);
  return artifacts;
}

describe("a head at the client", () => {
  const head = numbers(width * vocabulary, 3, 1);

  it.each([false, true])("gives the logits of the model, with a bias: %s", async (bias) => {
    const { input, ...options } = written(`bias-${bias}`, bias, head);
    const plain = await openOnnxSession(options.model);
    const expected = (await plain.run(readInputFiles([input]))).get("logits")!.tensor;
    await plain.release();
    const out = join(dir, `bias-${bias}`);
    const { manifest } = await check(out, options, [input], expected, tensor([width, vocabulary], head));
    expect(manifest.reveals[0]!.tensor).toBe("hidden");
  });

  it("is refused where the hidden state would tell more than the logits", () => {
    const deficient = head.map((x, at) => (at < vocabulary ? head[at + vocabulary]! : x));
    const { input: _, ...options } = written("deficient", false, deficient);
    expect(codesOf(() => compileModel(resolveModelOptions(options)))).toEqual(["MRL0304"]);
    const { head: _head, ...inside } = options;
    expect(compileModel(resolveModelOptions(inside)).manifest.tails).toEqual([]);
  });
});

describe("the likeliest token alone", () => {
  it.each(["2pc-dealer", "3pc"] as const)("is all that the client learns: %s", async (setting) => {
    // A matrix of deficient rank, which may not run at the client.
    const numbersOf = numbers(width * vocabulary, 3, 1);
    const head = numbersOf.map((x, at) => (at < vocabulary ? numbersOf[at + vocabulary]! : x));
    const { input, ...options } = written(`token-${setting}`, true, head);
    const plain = await openOnnxSession(options.model);
    const logits = (await plain.run(readInputFiles([input]))).get("logits")!.tensor;
    await plain.release();
    const out = join(dir, `token-${setting}`);
    const { manifest, module } = build(out, { ...options, head: "token", setting });
    expect(manifest.tails).toEqual([]);
    expect(manifest.reveals).toEqual([{ value: "logits", tensor: "logits", to: "client", shape: [1, length] }]);
    const [opened] = opsOf(module).filter(({ name }) => name === "reveal");
    expect(opsOf(module).find(({ result }) => result === opened!.operands[0])!.name).toBe("argmax");
    const { outputs, report } = await queryOnce(out, [input]);
    const found = outputs.get("logits")!;
    expect(found.shape).toEqual([1, length]);
    for (let place = 0; place < length; place++) {
      const row = logits.data.subarray(place * vocabulary, (place + 1) * vocabulary);
      const [most, next] = [...row].sort((x, y) => y - x) as [number, number];
      const token = found.data[place]!;
      expect(Number.isInteger(token)).toBe(true);
      // Two that are nearer to each other than the arithmetic is exact may change places, and no others.
      if (most - next > 0.005) expect(token).toBe(row.indexOf(most));
      else expect(row[token]!).toBeGreaterThan(most - 0.005);
    }
    expect(report.measured).toEqual(report.predicted);
  });
});

describe("the head of an exported model at the client", () => {
  it("gives the logits of its test data", async () => {
    const name = "dev_llama_ts17_static";
    const model = join(models, name, "model.onnx");
    const data = join(models, name, "test_data_set_0");
    const options: ModelOptions = {
      model,
      base: model,
      private: ["model.layers.1.*", "model.norm.*"],
      head: "logits",
      reveal: { logits: "client" },
      calibrate: data,
    };
    const [expected] = readInputTensors(join(data, "output_0.pb")).values();
    const out = join(dir, name);
    const matrices = [...loadImported(resolveModelOptions(options)).weights.values()];
    const last = matrices.find(({ shape }) => shape.length === 2 && shape[1] === expected!.tensor.shape.at(-1))!;
    await check(out, options, inputsOf(data), expected!.tensor, last);
  });
});
