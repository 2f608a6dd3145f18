import { readFileSync } from "node:fs";
import { join } from "node:path";
import { decodeTensorFile } from "../../../../compiler/onnx/format/decode-model.ts";
import type { OnnxModel, OnnxTensor } from "../../../../compiler/onnx/format/model-records.ts";
import { readTensor } from "../../../../compiler/onnx/format/read-tensor.ts";
import type { ImportedModel } from "../../../../compiler/onnx/import/import-model.ts";
import { readModel } from "../../../../compiler/onnx/normalize/read-model.ts";
import { interpret } from "../../../../ir/interpret.ts";
import { opsOf } from "../../../../ir/module.ts";
import type { Tensor, WeightStore } from "../../../../ir/tensor.ts";

/** A model with recorded inputs and outputs, in the layout of the ONNX project's test data. */
export interface Recorded {
  readonly model: OnnxModel;
  readonly inputs: readonly OnnxTensor[];
  readonly outputs: readonly OnnxTensor[];
}

export function readRecorded(folder: string): Recorded {
  const model = readModel(join(folder, "model.onnx"));
  const read = (kind: string, count: number): OnnxTensor[] =>
    Array.from({ length: count }, (_, at) => {
      const file = join(folder, "test_data_set_0", `${kind}_${at}.pb`);
      return decodeTensorFile(readFileSync(file), file);
    });
  return {
    model,
    inputs: read("input", model.graph.inputs.length),
    outputs: read("output", model.graph.outputs.length),
  };
}

export const tensorFrom = (source: OnnxTensor): Tensor => readTensor({ file: source.name }, source);

/** Outputs by ONNX name, from inputs by ONNX name; inputs that the import folded away are omitted. */
export function runImported(
  imported: ImportedModel,
  inputs: ReadonlyMap<string, Tensor>,
  weights: WeightStore = imported.weights,
): ReadonlyMap<string, Tensor> {
  const byId = new Map([...imported.inputs].map(([name, id]) => [id, inputs.get(name)!]));
  const found = interpret(imported.module, weights, byId);
  return new Map([...imported.outputs].map(([name, id]) => [name, found.get(id)!]));
}

export function runRecorded(imported: ImportedModel, { model, inputs }: Recorded): Tensor {
  const byName = new Map(model.graph.inputs.map(({ name }, at) => [name, tensorFrom(inputs[at]!)]));
  return runImported(imported, byName).get(model.graph.outputs[0]!.name)!;
}

/** Greatest difference of two tensors of one shape. */
export function worst(found: Tensor, expected: Tensor): number {
  if (found.shape.join() !== expected.shape.join()) throw new Error(`shapes [${found.shape}] and [${expected.shape}]`);
  return found.data.reduce((most, value, at) => Math.max(most, Math.abs(value - expected.data[at]!)), 0);
}

export function countOps({ module }: Pick<ImportedModel, "module">): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const { name } of opsOf(module)) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}
