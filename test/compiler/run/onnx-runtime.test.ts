import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, expect, test } from "vitest";
import { onnxRuntime } from "../../../compiler/run/onnx-runtime.ts";
import { openOnnxSession } from "../../../compiler/run/onnx-session.ts";
import { type RuntimeName, runtimeNames } from "../../../compiler/run/runtime-name.ts";
import type { TypedTensor } from "../../../compiler/tensors/npy.ts";
import type { Tensor } from "../../../ir/tensor.ts";

const fixtures = resolve(import.meta.dirname, "../../../fixtures");
const dir = mkdtempSync(join(tmpdir(), "marillc-runtimes-"));
afterAll(() => rmSync(dir, { recursive: true }));

const tokens = (shape: readonly number[]): TypedTensor => ({
  dtype: "int64",
  tensor: { shape, data: Float64Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, k) => 3 + (k % 90)) },
});

async function answer(file: string, runtime: RuntimeName, inputs: ReadonlyMap<string, TypedTensor>) {
  const part = await openOnnxSession(file, runtime);
  try {
    return await part.run(inputs);
  } finally {
    await part.release();
  }
}

/** float32 through a few hundred sums, in another order of summation. */
const tolerance = 1e-4;

function apart(a: Tensor, b: Tensor): number {
  expect(a.shape).toEqual(b.shape);
  return a.data.reduce((worst, value, k) => Math.max(worst, Math.abs(value - b.data[k]!)), 0);
}

test("a model with external data gives the same logits in both runtimes", async () => {
  const file = join(fixtures, "date-llama/base-ts17.onnx");
  const inputs = new Map([["input_ids", tokens([1, 48])]]);
  const [native, wasm] = await Promise.all(runtimeNames.map((name) => answer(file, name, inputs)));
  const found = native!.get("logits")!;
  expect(found.dtype).toBe("float32");
  expect(wasm!.get("logits")!.dtype).toBe("float32");
  expect(apart(found.tensor, wasm!.get("logits")!.tensor)).toBeLessThan(tolerance);
});

/** Some numbers of each input's shape; an extent that is not fixed is 2. */
async function inputsFor(file: string): Promise<ReadonlyMap<string, TypedTensor>> {
  const runtime = await onnxRuntime("native");
  const session = await runtime.open(file);
  const inputs = new Map(
    session.inputMetadata.map((input): [string, TypedTensor] => {
      if (!input.isTensor) throw new Error(`${input.name} is no tensor`);
      const shape = input.shape.map((extent) => (typeof extent === "number" ? extent : 2));
      const whole = input.type.includes("int");
      const data = Float64Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, k) =>
        whole ? 1 + (k % 5) : Math.sin(k),
      );
      return [input.name, { dtype: input.type as TypedTensor["dtype"], tensor: { shape, data } }];
    }),
  );
  await session.release();
  return inputs;
}

const nets = readdirSync(join(fixtures, "nets")).filter((name) =>
  ["resnet.onnx", "mobilenet.onnx", "lstm.onnx", "gru.onnx", "densenet.onnx"].includes(name),
);

test.each(nets)("%s: same names, types, shapes and numbers", async (name) => {
  const file = join(fixtures, "nets", name);
  const inputs = await inputsFor(file);
  const [native, wasm] = await Promise.all(runtimeNames.map((each) => answer(file, each, inputs)));
  expect([...wasm!.keys()]).toEqual([...native!.keys()]);
  for (const [output, { dtype, tensor }] of native!) {
    expect(wasm!.get(output)!.dtype).toBe(dtype);
    expect(apart(tensor, wasm!.get(output)!.tensor)).toBeLessThan(tolerance);
  }
});

test("what one run gives goes into the next as it is, in both", async () => {
  const file = join(fixtures, "nets/lstm.onnx");
  for (const name of runtimeNames) {
    const inputs = await inputsFor(file);
    const part = await openOnnxSession(file, name);
    const plain = await part.run(inputs);
    const [input] = part.inputNames;
    const { shape, data } = inputs.get(input!)!.tensor;
    const given = new Map([[input!, { dims: shape, data: Float32Array.from(data) }]]);
    const { tensors } = await part.runCached(inputs, given, []);
    for (const [output, { tensor }] of plain) expect(apart(tensor, tensors.get(output)!.tensor)).toBe(0);
    const [first] = plain.keys();
    const { cached } = await part.runCached(inputs, new Map(), [first!]);
    expect(cached.get(first!)!.data).toBeInstanceOf(Float32Array);
    await part.release();
  }
});

test("an input that no model can take is refused alike", async () => {
  const file = join(fixtures, "date-llama/base-ts17.onnx");
  const wrong = tokens([1, 48]);
  wrong.tensor.data[0] = 1e6;
  for (const name of runtimeNames) {
    await expect(answer(file, name, new Map([["input_ids", wrong]]))).rejects.toThrow(/MRL0814/);
  }
});

test("external data outside the model's folder is not read", async () => {
  symlinkSync(join(fixtures, "date-llama/base.weights"), join(dir, "base.weights"));
  writeFileSync(join(dir, "model.onnx"), readFileSync(join(fixtures, "date-llama/base-ts17.onnx")));
  await expect(openOnnxSession(join(dir, "model.onnx"), "wasm")).rejects.toThrow(/MRL0135/);
});

test("a runtime is forced by its name, and a name that is none is refused", async () => {
  expect((await onnxRuntime("wasm")).name).toBe("wasm");
  expect((await onnxRuntime("native")).name).toBe("native");
  // Unset: the native one, which is installed here.
  expect((await onnxRuntime("")).name).toBe("native");
  await expect(onnxRuntime("gpu")).rejects.toThrow(/MRL0815: the ONNX Runtime "gpu" does not exist/);
});
