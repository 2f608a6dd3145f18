import { mkdirSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { type BoundaryType, extractSubgraph } from "../../../compiler/onnx/format/extract-subgraph.ts";
import { joinBytes } from "../../../compiler/onnx/format/protobuf-edit.ts";
import { importModel } from "../../../compiler/onnx/import/import-model.ts";
import { readModel } from "../../../compiler/onnx/normalize/read-model.ts";
import { openOnnxSession } from "../../../compiler/run/onnx-session.ts";
import { makeStudent, type Student } from "../../../compiler/student/make-student.ts";
import type { StudentOptions } from "../../../compiler/student/student-options.ts";
import type { TypedTensor } from "../../../compiler/tensors/npy.ts";
import { interpret } from "../../../ir/interpret.ts";
import type { Tensor } from "../../../ir/tensor.ts";

export type Inputs = ReadonlyMap<string, TypedTensor>;

/** Makes a student, with its data file beside it. */
export function studentAt(path: string, options: Omit<StudentOptions, "dataFile">): Student {
  const dataFile = `${basename(path).replace(/\.onnx$/, "")}.weights`;
  const student = makeStudent({ ...options, dataFile });
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, student.model);
  if (student.data.length > 0)
    writeFileSync(join(dirname(path), dataFile), joinBytes(student.data.map((read) => read())));
  return student;
}

/** What ONNX Runtime computes. */
export async function runOnnx(path: string, inputs: Inputs): Promise<ReadonlyMap<string, Tensor>> {
  const part = await openOnnxSession(path);
  const found = await part.run(inputs);
  await part.release();
  return new Map([...found].map(([name, { tensor }]) => [name, tensor]));
}

/** Values inside a model, by the names of their tensors. */
export async function insideOf(
  path: string,
  tensors: ReadonlyMap<string, readonly number[]>,
  inputs: Inputs,
): Promise<ReadonlyMap<string, Tensor>> {
  const model = readModel(path);
  const types = new Map<string, BoundaryType>([...tensors].map(([name, dims]) => [name, { dtype: "float32", dims }]));
  for (const [name, { dtype, tensor }] of inputs) types.set(name, { dtype, dims: tensor.shape });
  const names = [...tensors.keys()];
  const given = [...inputs.keys()].filter((name) => model.graph.inputs.some((input) => input.name === name));
  const bytes = extractSubgraph(model, given, names, { name: "cut", types });
  const cut = `${path}.cut.onnx`;
  writeFileSync(cut, bytes);
  return runOnnx(cut, inputs);
}

/** The interpreter's results for the imported model. */
export function interpreted(path: string, inputs: Inputs, dims: Readonly<Record<string, number>> = {}): Tensor {
  const imported = importModel(readModel(path), { dims: new Map(Object.entries(dims)) });
  const given = new Map([...imported.inputs].map(([name, id]) => [id, inputs.get(name)!.tensor]));
  return [...interpret(imported.module, imported.weights, given).values()][0]!;
}

export const farthest = (a: Tensor, b: Tensor): number => {
  if (a.shape.join() !== b.shape.join()) return Number.POSITIVE_INFINITY;
  return a.data.reduce((most, x, at) => Math.max(most, Math.abs(x - b.data[at]!)), 0);
};
