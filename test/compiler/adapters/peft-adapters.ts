import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readPeftAdapter } from "../../../compiler/adapters/peft-adapter.ts";
import type { LoraAdapter } from "../../../compiler/ownership/adapter.ts";
import { type SafetensorsTensor, writeSafetensors } from "../../../compiler/tensors/safetensors.ts";
import { codesOf } from "../onnx/format/build-model.ts";

/** The module that the good adapter changes. */
export const q = "model.layers.0.self_attn.q_proj";
const goodConfig = { peft_type: "LORA", r: 2, lora_alpha: 6, target_modules: ["q_proj"], bias: "none" };

/** A tensor of an adapter, with values 1, 2, 3, …. */
export function matrix(name: string, rows: number, columns: number): SafetensorsTensor {
  const data = Float32Array.from({ length: rows * columns }, (_, index) => index + 1);
  return {
    name: `base_model.model.${name}`,
    dtype: "float32",
    shape: [rows, columns],
    bytes: new Uint8Array(data.buffer),
  };
}
export const loraA = matrix(`${q}.lora_A.weight`, 2, 3);
export const loraB = matrix(`${q}.lora_B.weight`, 4, 2);
export const goodTensors = [loraA, loraB];

/** The good adapter with changes of its configuration or other tensors, written and read. */
export function readAdapterWith(config: object = {}, tensors: readonly SafetensorsTensor[] = goodTensors): LoraAdapter {
  const folder = mkdtempSync(join(tmpdir(), "marillc-peft-"));
  writeFileSync(join(folder, "adapter_config.json"), JSON.stringify({ ...goodConfig, ...config }));
  writeFileSync(join(folder, "adapter_model.safetensors"), writeSafetensors(tensors));
  try {
    return readPeftAdapter(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Codes of the problems of such an adapter; none if it is read. */
export const problemsWith = (config: object, tensors?: readonly SafetensorsTensor[]): string[] =>
  codesOf(() => readAdapterWith(config, tensors));
