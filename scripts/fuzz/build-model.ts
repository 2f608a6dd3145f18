// A short notation for ONNX models.
import onnxProto, { type onnx as proto } from "onnx-proto";

const { onnx } = onnxProto;

const elements = (dims: readonly number[]): number => dims.reduce((product, size) => product * size, 1);

/** Reproducible float32 values in [−1, 1]. */
export const valuesOf = (count: number): number[] =>
  Array.from({ length: count }, (_, k) => Math.fround(Math.sin(k * 7.3 + count)));

export function info(name: string, dims: readonly (number | string)[], elemType = 1): proto.IValueInfoProto {
  const dim = dims.map((size) => (typeof size === "number" ? { dimValue: size } : { dimParam: size }));
  return { name, type: { tensorType: { elemType, shape: { dim } } } };
}

export const floats = (name: string, ...dims: number[]): proto.ITensorProto => ({
  name,
  dims,
  dataType: 1,
  floatData: valuesOf(elements(dims)),
});
export const ints = (name: string, ...list: number[]): proto.ITensorProto => ({
  name,
  dims: [list.length],
  dataType: 7,
  int64Data: list,
});
export const bytes = (name: string, dataType: number, ...dims: number[]): proto.ITensorProto => ({
  name,
  dims,
  dataType,
  int32Data: Array.from({ length: elements(dims) }, (_, k) => (k * 37) % 100),
});
export const flag = (name: string, value: number): proto.ITensorProto => ({
  name,
  dims: [],
  dataType: 9,
  int32Data: [value],
});

type AttributeValue =
  | number
  | string
  | readonly number[]
  | { readonly float: number }
  | { readonly graph: proto.IGraphProto }
  | proto.ITensorProto;

export function attribute(name: string, value: AttributeValue): proto.IAttributeProto {
  if (typeof value === "number") return { name, type: 2, i: value };
  if (typeof value === "string") return { name, type: 3, s: new TextEncoder().encode(value) };
  if (isList(value)) return { name, type: 7, ints: [...value] };
  if ("graph" in value) return { name, type: 5, g: value.graph };
  return "float" in value ? { name, type: 1, f: value.float } : { name, type: 4, t: value };
}

const isList = (value: AttributeValue): value is readonly number[] => Array.isArray(value);

/** Inputs and outputs are separated by spaces; `_` is an absent input. */
export const node = (
  opType: string,
  input: string,
  output: string,
  attributes: Readonly<Record<string, AttributeValue>> = {},
): proto.INodeProto => ({
  opType,
  name: `/layers.0/${opType}`,
  input: input.split(" ").map((each) => (each === "_" ? "" : each)),
  output: output.split(" "),
  attribute: Object.entries(attributes).map(([name, value]) => attribute(name, value)),
});

export const constant = (output: string, name: string, value: AttributeValue): proto.INodeProto => ({
  ...node("Constant", "_", output, { [name]: value }),
  input: [],
});

export const microsoft = (each: proto.INodeProto): proto.INodeProto => ({ ...each, domain: "com.microsoft" });

export function model(
  name: string,
  version: number,
  input: proto.IValueInfoProto[],
  outputs: readonly string[],
  initializer: proto.ITensorProto[],
  nodes: proto.INodeProto[],
): Uint8Array {
  const graph = { name, input, output: outputs.map((each) => info(each, [])), initializer, node: nodes };
  const usesMicrosoft = nodes.some(({ domain }) => domain === "com.microsoft");
  const opsetImport = [{ domain: "", version }, ...(usesMicrosoft ? [{ domain: "com.microsoft", version: 1 }] : [])];
  return onnx.ModelProto.encode(onnx.ModelProto.create({ irVersion: 8, opsetImport, graph })).finish();
}
