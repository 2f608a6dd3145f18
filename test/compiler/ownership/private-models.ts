import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { onnx as proto } from "onnx-proto";
import { expect } from "vitest";
import { resolveModelOptions } from "../../../compiler/api/model-options.ts";
import { loadModel } from "../../../compiler/load/load-model.ts";
import { type SafetensorsTensor, writeSafetensors } from "../../../compiler/tensors/safetensors.ts";
import { tensor } from "../../../ir/tensor.ts";
import { numbers } from "../../end-to-end/tiny-model.ts";
import { floatInfo, floatTensor, modelBytes, node } from "../onnx/format/build-model.ts";
import { runImported } from "../onnx/import/recorded.ts";

const dir = mkdtempSync(join(tmpdir(), "marillc-secrets-"));
// At the end of the process: files of a tier share this module, and a hook would run after the first of them.
process.once("exit", () => rmSync(dir, { recursive: true, force: true }));

export const [rows, width] = [2, 4];
/** [in, out], as an exporter stores it; a base has the transpose. */
export const first = numbers(width * width, 1, 0.5);
export const second = numbers(width * width, 2, 0.5);
export const vector = numbers(width, 3, 0.5);
export const turned = (matrix: readonly number[]): number[] =>
  matrix.map((_, at) => matrix[(at % width) * width + Math.floor(at / width)]!);

export type Values = readonly number[];
export const stored = (
  name: string,
  shape: readonly number[],
  values: Values,
  dtype: "float32" | "int64" = "float32",
) => {
  const bytes = dtype === "float32" ? Float32Array.from(values) : BigInt64Array.from(values, (value) => BigInt(value));
  return { name, dtype, shape, bytes: new Uint8Array(bytes.buffer) } satisfies SafetensorsTensor;
};
const publicLayer = stored("fc0.weight", [width, width], turned(first));

export function baseOf(...more: readonly SafetensorsTensor[]): string {
  const path = join(dir, "base.safetensors");
  writeFileSync(path, writeSafetensors([publicLayer, ...more]));
  return path;
}

export const integers = (name: string, dims: number[], values: Values, dataType = 7): proto.ITensorProto =>
  dataType === 7 ? { name, dims, dataType, int64Data: [...values] } : { name, dims, dataType, int32Data: [...values] };
export const cast = (from: string, to: string): proto.INodeProto => ({
  ...node("Cast", [from], [to]),
  attribute: [{ name: "to", type: 2, i: 1 }],
});
export const constant = (output: string, attribute: proto.IAttributeProto): proto.INodeProto => ({
  ...node("Constant", [], [output]),
  attribute: [attribute],
});
export const layer = (at: number, from: string, weight: string, to: string): proto.INodeProto =>
  node("MatMul", [from, weight], [to], `/fc${at}/MatMul`);

export interface Case {
  readonly initializer: readonly proto.ITensorProto[];
  readonly nodes: readonly proto.INodeProto[];
}

/** A public layer x → h, then the part under test, h → y. */
export function modelOf({ initializer, nodes }: Case, name = "model"): string {
  const path = join(dir, `${name}.onnx`);
  const graph = {
    name,
    initializer: [floatTensor("onnx::MatMul_1", [width, width], first), ...initializer],
    input: [floatInfo("x", rows, width)],
    output: [floatInfo("y", rows, width)],
    node: [layer(0, "x", "onnx::MatMul_1", "h"), ...nodes],
  };
  writeFileSync(path, modelBytes(graph));
  return path;
}

interface Owners {
  readonly base?: string;
  readonly private?: readonly string[];
  readonly public?: readonly string[];
}

export const load = (given: Case, options: Owners) =>
  loadModel(resolveModelOptions({ model: modelOf(given), ...options }), { allowAllPublic: true });

/** Names of private weights, and the model's result. */
export function look(given: Case, options: Owners) {
  const { imported, ownership, surrogate } = load(given, options);
  const x = tensor([rows, width], Float64Array.from(numbers(rows * width, 9, 0.5)));
  const [y] = [...runImported(imported, new Map([["x", x]])).values()];
  const secrets = ownership.table.filter(({ label }) => label === "server").map((line) => line.name);
  const labels = Object.entries(imported.module.params).flatMap(([id, key]) =>
    imported.module.values[id]!.type.label === "server" ? [imported.storedWeights.get(key)!.weight] : [],
  );
  // Operands have the labels of the table.
  expect(new Set(labels)).toEqual(new Set(secrets));
  return { secrets, y: [...y!.data], why: ownership.table.map(({ why }) => why), surrogate };
}

export const add = (value: string): proto.INodeProto => node("Add", ["h", value], ["y"], "/fc1/Add");

/** A model that adds a stored tensor to the hidden values. */
export const addOf = (name: string, dims: number[], values: Values): Case => ({
  initializer: [floatTensor(name, dims, [...values])],
  nodes: [add(name)],
});

/** Names of private weights, beside a base of the public layer and these tensors. */
export const secretsWith = (model: Case, ...tensors: readonly SafetensorsTensor[]): readonly string[] =>
  look(model, { base: baseOf(...tensors) }).secrets;
