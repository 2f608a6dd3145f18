// Valid weights, adapters, inputs and fixtures: what mutations begin with, beside the small models.
import { existsSync, readFileSync } from "node:fs";
import onnxProto from "onnx-proto";
import { writeNpy, writeNpz, writeSafetensors } from "../../compiler/tensors/index.ts";
import { repositoryFile } from "../pages.ts";
import { floats, valuesOf } from "./build-model.ts";

const { onnx } = onnxProto;
const text = (value: string): Uint8Array => new TextEncoder().encode(value);

const loraHalf = (name: string, rows: number, columns: number) => ({
  name: `base_model.model.model.layers.0.${name}.weight`,
  dtype: "float32" as const,
  shape: [rows, columns],
  bytes: new Uint8Array(Float32Array.from(valuesOf(rows * columns)).buffer),
});

/** Weights of a PEFT adapter: rank 2 on one matrix of 4 × 6. */
export const seedSafetensors = writeSafetensors(
  [loraHalf("q_proj.lora_A", 2, 4), loraHalf("q_proj.lora_B", 6, 2)],
  new Map([["format", "pt"]]),
);
export const seedAdapterConfig = text(
  JSON.stringify({
    peft_type: "LORA",
    r: 2,
    lora_alpha: 4,
    target_modules: ["q_proj"],
    rank_pattern: { q_proj: 2 },
    layers_to_transform: [0],
  }),
);

/** The file's bytes; empty where the checkout has no fixtures. */
function readFixture(name: string): readonly Uint8Array[] {
  const file = repositoryFile(`fixtures/${name}`);
  return existsSync(file) ? [readFileSync(file)] : [];
}

/** ONNX Runtime's adapter format. */
export const onnxAdapters = readFixture("nets/lora.onnx_adapter");

/** The fixtures' models: larger, so drawn less often. */
export const fixtureModels = ["base-dy18", "base-ts17-seq", "base-ts17"].flatMap((name) =>
  readFixture(`date-llama/${name}.onnx`),
);

const array = {
  dtype: "float32" as const,
  tensor: { shape: [2, 3], data: Float64Array.of(1, 2, 3, 4, 5, 6) },
};

/** Inputs of a query by file extension. */
export const seedInputs: Readonly<Record<string, Uint8Array>> = {
  ".npy": writeNpy(array),
  ".npz": writeNpz(
    new Map([
      ["x", array],
      ["y", array],
    ]),
  ),
  ".pb": onnx.TensorProto.encode(onnx.TensorProto.create(floats("x", 2, 2))).finish(),
  ".json": text('{"x": [[1, 2], [3, 4.5]], "y": {"dtype": "int64", "shape": [2], "data": [1, 2]}}'),
};
