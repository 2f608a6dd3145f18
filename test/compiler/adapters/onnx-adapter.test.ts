import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { decodeOnnxAdapter, readOnnxAdapter } from "../../../compiler/adapters/onnx-adapter.ts";
import { type ModelOptions, resolveModelOptions } from "../../../compiler/api/model-options.ts";
import { loadModel } from "../../../compiler/load/load-model.ts";
import type { Tensor } from "../../../ir/tensor.ts";
import { tensor } from "../../../ir/tensor.ts";
import { numbers } from "../../end-to-end/tiny-model.ts";
import { codesOf, floatInfo, floatTensor, modelBytes, node } from "../onnx/format/build-model.ts";
import { runImported, worst } from "../onnx/import/recorded.ts";

const nets = join(import.meta.dirname, "../../../fixtures/nets");
const [base, withInputs, adapter, peft] = ["lora-base.onnx", "lora-inputs.onnx", "lora.onnx_adapter", "lora-peft"].map(
  (name) => join(nets, name),
) as [string, string, string, string];
const dir = mkdtempSync(join(tmpdir(), "marillc-onnx-adapter-"));
afterAll(() => rmSync(dir, { recursive: true }));

/** A run of onnxruntime with the adapter active. */
const recorded = JSON.parse(readFileSync(join(nets, "lora-run.json"), "utf8")) as Record<"x" | "y", readonly number[]>;
const x = tensor([2, 6], recorded.x);
const resultOf = (options: ModelOptions): Tensor => {
  const { imported } = loadModel(resolveModelOptions(options), { allowAllPublic: true });
  return runImported(imported, new Map([["x", x]])).get("y")!;
};
const written = (name: string, bytes: Uint8Array): string => {
  const file = join(dir, name);
  writeFileSync(file, bytes);
  return file;
};

describe("an .onnx_adapter", () => {
  it("has the named tensors that onnxruntime wrote", () => {
    const { parameters } = readOnnxAdapter(adapter);
    expect(parameters.map(({ name, dtype, dims }) => [name, dtype, dims])).toEqual([
      ["model.down_proj.lora_A.weight", "float32", [8, 2]],
      ["model.down_proj.lora_B.weight", "float32", [2, 3]],
      ["model.up_proj.lora_A.weight", "float32", [6, 2]],
      ["model.up_proj.lora_B.weight", "float32", [2, 8]],
    ]);
  });

  it("gives what the PEFT folder of the same adapter gives, and what onnxruntime computes with it", () => {
    const found = resultOf({ model: withInputs, adapter });
    expect(worst(found, resultOf({ model: base, adapter: peft }))).toBeLessThan(1e-9);
    expect(worst(found, tensor([2, 3], recorded.y))).toBeLessThan(1e-6);
    // Without it the LoRA matrices are empty.
    expect(worst(resultOf({ model: withInputs }), resultOf({ model: base }))).toBe(0);
    expect(worst(found, resultOf({ model: base }))).toBeGreaterThan(0.1);
  });

  it("is private, and the base stays public", () => {
    const { ownership, surrogate, imported } = loadModel(resolveModelOptions({ model: withInputs, adapter }));
    const secret = ownership.table.filter(({ label }) => label === "server");
    expect(secret.map(({ name }) => name).sort()).toEqual(readOnnxAdapter(adapter).parameters.map(({ name }) => name));
    expect([...imported.inputs.keys()]).toEqual(["x"]);
    // Ranges are measured with fresh LoRA matrices.
    expect(surrogate.initial).toEqual([]);
    const halves = secret.map(({ name }) => surrogate.weights.get(name)!.data);
    expect(halves.map((data) => data.some((value) => value !== 0))).toEqual([true, false, true, false]);
    const own = loadModel(resolveModelOptions({ model: withInputs, adapter, base }));
    expect(own.ownership.table.filter(({ label }) => label === "public")).toHaveLength(2);
  });

  it("is refused when it does not match the model's inputs", () => {
    expect(codesOf(() => loadModel(resolveModelOptions({ model: base, adapter })))).toEqual(Array(4).fill("MRL0430"));
    const other = (name: string, ...dims: number[]) => [floatInfo("x", 2, 6), floatInfo(name, ...dims)];
    const model = (inputs: ReturnType<typeof other>) =>
      written(
        "other.onnx",
        modelBytes({
          name: "other",
          input: inputs,
          initializer: [floatTensor("w", [6, 2], numbers(12, 1, 1))],
          output: [floatInfo("y", 2, 2)],
          node: [node("MatMul", ["x", inputs[1]!.name!], ["y"], "/m/MatMul")],
        }),
      );
    // Another shape of one, and no inputs for the other three.
    const shaped = model(other("model.up_proj.lora_A.weight", 6, 3));
    expect(codesOf(() => loadModel(resolveModelOptions({ model: shaped, adapter })))).toEqual(Array(4).fill("MRL0430"));
    const half = model(other("model.gate_proj.lora_A.weight", 6, 2));
    expect(() => loadModel(resolveModelOptions({ model: half, adapter }))).toThrow(
      /the adapter has no parameter for it/,
    );
  });
});

describe("a file that is not an adapter", () => {
  const bytes = readFileSync(adapter);
  const codes = (made: Uint8Array): readonly string[] => codesOf(() => decodeOnnxAdapter(made, "changed"));
  const changed = (at: number, value: number): Uint8Array => {
    const copy = Uint8Array.from(bytes);
    copy[at] = value;
    return copy;
  };

  it("is refused when truncated at any length", () => {
    for (let length = 0; length < bytes.length; length++) {
      const found = codes(bytes.subarray(0, length));
      // Only padding may be missing at the end.
      if (length < bytes.length - 8) expect(found).toContain("MRL0143");
    }
  });

  it("is refused or read when any byte is changed", () => {
    for (let at = 0; at < bytes.length; at++) {
      for (const value of [0, 1, 0x7f, 0x80, 0xff]) {
        const found = codes(changed(at, value));
        if (found.some((code) => code !== "MRL0143")) expect([at, value, found]).toEqual([]);
      }
    }
  });

  it("is refused with a repeated name, another identifier or another version", () => {
    const text = bytes.toString("latin1");
    expect(codes(changed(4, 0x55))).toEqual(["MRL0143"]);
    const twice = Buffer.from(text.replace("model.up_proj.lora_B", "model.up_proj.lora_A"), "latin1");
    expect(codes(twice)).toEqual(["MRL0143"]);
    expect(codes(new Uint8Array())).toEqual(["MRL0143"]);
  });
});
