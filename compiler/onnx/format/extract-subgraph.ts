import onnxProto, { type onnx as proto } from "onnx-proto";
import { fail, throwIfAny } from "../../../ir/diagnostic.ts";
import { type Dtype, onnxTypeNumber } from "../../tensors/index.ts";
import { toSinglePrecision } from "./float32-graph.ts";
import type { OnnxAttribute, OnnxGraph, OnnxModel, OnnxNode, OnnxTensor } from "./model-records.ts";
import { toLong } from "./proto-int64.ts";
import { tensorBytes } from "./read-tensor.ts";

const { onnx } = onnxProto;

/** The static type of a value at the boundary of a subgraph. */
export interface BoundaryType {
  readonly dtype: Dtype;
  readonly dims: readonly number[];
}

export interface ExtractOptions {
  /** Name of the new graph. */
  readonly name: string;
  /** Types of the boundary values. Every input needs one; an output may omit it when the model states its type. */
  readonly types: ReadonlyMap<string, BoundaryType>;
  /** Graph inputs that become inputs of the new graph where a node reads them. */
  readonly optional?: readonly string[];
}

interface RequiredParts {
  readonly nodes: ReadonlySet<OnnxNode>;
  readonly initializers: readonly OnnxTensor[];
  /** The optional inputs that a node reads. */
  readonly inputs: readonly string[];
  /** Shapes that replace Shape nodes, so that the value itself is not needed. */
  readonly shapes: ReadonlyMap<string, readonly number[]>;
}

/**
 * Extracts the part of the model that computes `outputs` from `inputs` as a self-contained ONNX file. Nothing else goes
 * in: no metadata (exporters put stack traces and source paths there) and no unused weight. The same input gives the
 * same bytes. Errors: MRL0115, MRL0120, MRL0121.
 */
export function extractSubgraph(
  model: OnnxModel,
  inputs: readonly string[],
  outputs: readonly string[],
  options: ExtractOptions,
): Uint8Array {
  const needed = collectRequired(model, inputs, outputs, options);
  const taken = [...inputs, ...needed.inputs];
  const own = model.graph.nodes.filter((node) => needed.nodes.has(node));
  const nodes = toSinglePrecision(model, own, needed.initializers);
  const message = onnx.ModelProto.create({
    irVersion: model.irVersion,
    producerName: "marillc",
    opsetImport: requiredOpsets(model, nodes),
    graph: {
      name: options.name,
      node: nodes.map((node) => nodeMessage(model, node)),
      initializer: [
        ...needed.initializers.map((tensor) => tensorMessage(model, tensor)),
        ...[...needed.shapes].map(([name, sizes]) => shapeTensorMessage(name, sizes)),
      ],
      input: taken.map((name) => valueInfo(name, boundaryType(model, name, options))),
      output: outputs.map((name) => outputInfo(name, boundaryType(model, name, options))),
    },
  });
  return onnx.ModelProto.encode(message).finish();
}

/**
 * Walks back from the outputs and stops at the inputs of the cut. Shapes are known: a value that is needed only for its
 * shape may be private, so it must not be included.
 */
function collectRequired(
  model: OnnxModel,
  inputs: readonly string[],
  outputs: readonly string[],
  { types, optional = [] }: ExtractOptions,
): RequiredParts {
  const { graph, file } = model;
  const makers = new Map(graph.nodes.flatMap((node) => node.outputs.map((name) => [name, node] as const)));
  const graphInputs = new Set(graph.inputs.map((info) => info.name));
  const cut = new Set(inputs);
  const nodes = new Set<OnnxNode>();
  const initializers = new Set<string>();
  const taken = new Set<string>();
  const missing = new Map<string, string>();
  const shapes = new Map<string, readonly number[]>();
  const pending = outputs.map((name): readonly [string, string] => [name, "the outputs of the cut"]);
  for (let item = pending.pop(); item; item = pending.pop()) {
    const [name, user] = item;
    const maker = makers.get(name);
    if (name === "" || cut.has(name)) continue;
    if (graph.initializers.has(name)) initializers.add(name);
    else if (optional.includes(name)) taken.add(name);
    else if (!maker) missing.set(name, user);
    else if (shapeNodeValue(maker, types)) shapes.set(name, shapeNodeValue(maker, types)!);
    else if (!nodes.has(maker)) {
      nodes.add(maker);
      for (const used of consumedNames(maker)) pending.push([used, `node "${maker.name}"`]);
    }
  }
  throwIfAny(
    [...missing].map(([name, user]) => ({
      code: "MRL0120",
      message: graphInputs.has(name)
        ? `the graph input "${name}" is needed by the cut, but is not among its inputs`
        : `the model has no value "${name}"`,
      at: `${file}, ${user}`,
    })),
  );
  return {
    nodes,
    initializers: [...graph.initializers.values()].filter(({ name }) => initializers.has(name)),
    inputs: optional.filter((name) => taken.has(name)),
    shapes,
  };
}

/** The result of a Shape node whose operand has a static type. */
function shapeNodeValue(node: OnnxNode, types: ExtractOptions["types"]): readonly number[] | undefined {
  const dims = node.op === "Shape" && node.domain === "" ? types.get(node.inputs[0]!)?.dims : undefined;
  const [start, end] = ["start", "end"].map((name) => {
    const attribute = node.attributes.get(name);
    return attribute?.kind === "int" ? Number(attribute.value) : undefined;
  });
  return dims?.slice(start ?? 0, end ?? dims.length);
}

function shapeTensorMessage(name: string, shape: readonly number[]): proto.ITensorProto {
  const rawData = new Uint8Array(BigInt64Array.from(shape, BigInt).buffer);
  return { name, dims: [shape.length], dataType: onnxTypeNumber("int64"), rawData };
}

/** Inputs of a node, and the outer values that its nested graphs read. */
export function consumedNames(node: OnnxNode): readonly string[] {
  const graphs = [...node.attributes.values()].flatMap((attribute) =>
    attribute.kind === "graph" ? [attribute.value] : [],
  );
  return [...node.inputs.filter(Boolean), ...graphs.flatMap(outerNames)];
}

function outerNames(graph: OnnxGraph): string[] {
  const own = new Set([...graph.inputs.map((info) => info.name), ...graph.initializers.keys()]);
  for (const node of graph.nodes) for (const name of node.outputs) own.add(name);
  const read = [...graph.nodes.flatMap(consumedNames), ...graph.outputs.map((info) => info.name)];
  return read.filter((name) => !own.has(name));
}

function requiredOpsets(model: OnnxModel, nodes: readonly OnnxNode[]): proto.IOperatorSetIdProto[] {
  const used = new Set([""]);
  const visit = (node: OnnxNode) => {
    used.add(node.domain);
    for (const attribute of node.attributes.values()) {
      if (attribute.kind === "graph") attribute.value.nodes.forEach(visit);
    }
  };
  nodes.forEach(visit);
  const opsets = [...model.opsets].filter(([domain]) => used.has(domain)).sort(([a], [b]) => (a < b ? -1 : 1));
  return opsets.map(([domain, version]) => ({ domain, version }));
}

function boundaryType(model: OnnxModel, name: string, options: ExtractOptions): BoundaryType {
  const given = options.types.get(name);
  if (given) return asFloat32(given);
  const { graph } = model;
  const info = graph.valueInfo.get(name) ?? [...graph.outputs, ...graph.inputs].find((value) => value.name === name);
  const dims = info?.dims;
  if (info?.dtype && dims?.every((dim) => typeof dim === "number")) return asFloat32({ dtype: info.dtype, dims });
  return fail({
    code: "MRL0121",
    message: `the type of "${name}" at the boundary of the cut is unknown`,
    at: model.file,
    help: "every input and output of a cut needs an element type and static dimensions",
  });
}

const asFloat32 = ({ dtype, dims }: BoundaryType): BoundaryType => ({
  dtype: dtype === "float16" || dtype === "bfloat16" ? "float32" : dtype,
  dims,
});

function valueInfo(name: string, type: BoundaryType): proto.IValueInfoProto {
  const shape = { dim: type.dims.map((dimValue) => ({ dimValue })) };
  return { name, type: { tensorType: { elemType: onnxTypeNumber(type.dtype), shape } } };
}

/** All integer widths are one type to the compiler; the reader infers which one an output has. */
const outputInfo = (name: string, type: BoundaryType): proto.IValueInfoProto =>
  type.dtype === "int64" ? { name } : valueInfo(name, type);

/** Encodes a node as a NodeProto. */
export function nodeBytes(model: OnnxModel, node: OnnxNode): Uint8Array {
  return onnx.NodeProto.encode(onnx.NodeProto.create(nodeMessage(model, node))).finish();
}

/** Encodes a tensor with its data as a TensorProto. */
export function tensorProtoBytes(model: OnnxModel, tensor: OnnxTensor): Uint8Array {
  return onnx.TensorProto.encode(onnx.TensorProto.create(tensorMessage(model, tensor))).finish();
}

function tensorMessage(model: OnnxModel, tensor: OnnxTensor): proto.ITensorProto {
  return {
    name: tensor.name,
    dims: [...tensor.dims],
    dataType: onnxTypeNumber(tensor.dtype),
    rawData: tensorBytes(model, tensor),
  };
}

function nodeMessage(model: OnnxModel, node: OnnxNode): proto.INodeProto {
  return {
    input: [...node.inputs],
    output: [...node.outputs],
    name: node.name,
    opType: node.op,
    ...(node.domain ? { domain: node.domain } : {}),
    attribute: [...node.attributes].map(([name, attribute]) => ({ name, ...attributeMessage(model, node, attribute) })),
  };
}

type Encoder<K extends OnnxAttribute["kind"]> = (
  value: Extract<OnnxAttribute, { kind: K }>["value"],
  model: OnnxModel,
) => proto.IAttributeProto;

/** AttributeProto by kind; the numbers are AttributeProto.AttributeType. */
const encoders: { readonly [K in Exclude<OnnxAttribute["kind"], "unsupported">]: Encoder<K> } = {
  float: (f) => ({ type: 1, f: Number(f) }),
  int: (i) => ({ type: 2, i: toLong(Number(i)) }),
  string: (s) => ({ type: 3, s: utf8(s) }),
  tensor: (t, model) => ({ type: 4, t: tensorMessage(model, t) }),
  graph: (g, model) => ({ type: 5, g: graphMessage(model, g) }),
  floats: (floats) => ({ type: 6, floats: [...floats] as number[] }),
  ints: (ints) => ({ type: 7, ints: (ints as readonly number[]).map(toLong) }),
  strings: (strings) => ({ type: 8, strings: strings.map(utf8) }),
};

function attributeMessage(model: OnnxModel, node: OnnxNode, attribute: OnnxAttribute): proto.IAttributeProto {
  if (attribute.kind === "unsupported") {
    return fail({
      code: "MRL0115",
      message: `an attribute with ${attribute.value} cannot be written`,
      at: `${model.file}, node "${node.name}"`,
    });
  }
  return (encoders[attribute.kind] as Encoder<typeof attribute.kind>)(attribute.value as never, model);
}

function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function graphMessage(model: OnnxModel, graph: OnnxGraph): proto.IGraphProto {
  return {
    name: graph.name,
    node: graph.nodes.map((node) => nodeMessage(model, node)),
    initializer: [...graph.initializers.values()].map((tensor) => tensorMessage(model, tensor)),
    input: graph.inputs.map(({ name }) => ({ name })),
    output: graph.outputs.map(({ name }) => ({ name })),
  };
}
