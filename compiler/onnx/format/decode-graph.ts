import { isUtf8 } from "node:buffer";
import type { onnx as proto } from "onnx-proto";
import { dtypeFromOnnx, safeIntegerOf } from "../../tensors/index.ts";
import { decodeTensor, toBigInt } from "./decode-tensor.ts";
import type { OnnxAttribute, OnnxGraph, OnnxMetadata, OnnxNode, OnnxTensor, OnnxValueInfo } from "./model-records.ts";
import type { ProblemSink } from "./problem-sink.ts";
import type { ScannedMessage } from "./protobuf-scan.ts";
import { unnamedNode } from "./unnamed-node.ts";

const noMetadata: OnnxMetadata = new Map();
const textOf = new TextDecoder();

/** Decodes one graph to records. `scanned` is the same graph as scanned: it has the metadata that onnx-proto drops. */
export function decodeGraph(
  graph: proto.IGraphProto,
  scanned: ScannedMessage | undefined,
  problems: ProblemSink,
  scope: string,
): OnnxGraph {
  for (const sparse of graph.sparseInitializer ?? []) {
    const where = `${scope}initializer "${sparse.values?.name ?? ""}"`;
    problems.report("MRL0115", where, "sparse initializers are not supported", "export the weights dense");
  }
  const initializers = new Map<string, OnnxTensor>();
  for (const message of graph.initializer ?? []) {
    const where = `${scope}initializer "${message.name ?? ""}"`;
    const tensor = decodeTensor(message, problems, where);
    if (!message.name) problems.report("MRL0111", where, "an initializer has no name");
    else if (initializers.has(message.name)) problems.report("MRL0111", where, "the name is given twice");
    else if (tensor) initializers.set(tensor.name, tensor);
  }
  const infos = (list: readonly proto.IValueInfoProto[] | null | undefined, field: string) =>
    (list ?? []).map((info, index) => decodeValueInfo(info, scanned?.children.get(field)?.[index], problems, scope));
  return {
    name: graph.name ?? "",
    nodes: (graph.node ?? []).map((node, index) =>
      decodeNode(node, index, scanned?.children.get("node")?.[index], problems, scope),
    ),
    initializers,
    inputs: infos(graph.input, "input"),
    outputs: infos(graph.output, "output"),
    valueInfo: new Map(infos(graph.valueInfo, "value_info").map((info) => [info.name, info])),
    metadata: scanned?.metadata ?? noMetadata,
  };
}

function decodeNode(
  node: proto.INodeProto,
  index: number,
  scanned: ScannedMessage | undefined,
  problems: ProblemSink,
  scope: string,
): OnnxNode {
  const outputs = node.output ?? [];
  const name = node.name || unnamedNode(node.opType ?? "", outputs, index);
  const where = `${scope}node "${name}"`;
  if (!node.opType) problems.report("MRL0104", where, "the node has no operator");
  const attributes = new Map<string, OnnxAttribute>();
  for (const [position, message] of (node.attribute ?? []).entries()) {
    const attribute = message.name ?? "";
    const at = `${where}, attribute "${attribute}"`;
    const value = decodeAttribute(message, scanned?.children.get("attribute")?.[position], problems, at);
    if (attributes.has(attribute)) problems.report("MRL0111", at, "the attribute is given twice");
    else if (value) attributes.set(attribute, value);
  }
  return {
    name,
    op: node.opType ?? "",
    domain: node.domain === "ai.onnx" ? "" : (node.domain ?? ""),
    inputs: node.input ?? [],
    outputs,
    attributes,
    metadata: scanned?.metadata ?? noMetadata,
  };
}

/** AttributeProto.AttributeType, and the field that each reads. */
const attributeTypes = new Map<number, string>([
  [1, "f"],
  [2, "i"],
  [3, "s"],
  [4, "t"],
  [5, "g"],
  [6, "floats"],
  [7, "ints"],
  [8, "strings"],
  [9, "tensors"],
  [10, "graphs"],
  [11, "sparseTensor"],
  [12, "sparseTensors"],
  [13, "tp"],
  [14, "typeProtos"],
]);
const attributeFields = [...attributeTypes.values()];

function decodeAttribute(
  message: proto.IAttributeProto,
  scanned: ScannedMessage | undefined,
  problems: ProblemSink,
  where: string,
): OnnxAttribute | undefined {
  if (message.refAttrName) return { kind: "unsupported", value: "a reference to an attribute of a function" };
  // Files before IR 4 may omit the type: then the field that is set determines it.
  const type = attributeTypes.get(message.type ?? 0) ?? attributeFields.find((field) => isSet(message, field));
  switch (type) {
    case "f":
      return { kind: "float", value: message.f ?? 0 };
    case "floats":
      return { kind: "floats", value: message.floats ?? [] };
    case "i": {
      const value = safeInteger(message.i ?? 0, problems, where);
      return value === undefined ? undefined : { kind: "int", value };
    }
    case "ints": {
      const value = (message.ints ?? []).map((item) => safeInteger(item, problems, where) ?? 0);
      return { kind: "ints", value };
    }
    case "s":
      return textAttribute(message.s ?? new Uint8Array(), (value) => ({ kind: "string", value }));
    case "strings": {
      const strings = message.strings ?? [];
      if (!strings.every((bytes) => isUtf8(bytes))) return invalidUtf8;
      return { kind: "strings", value: strings.map((bytes) => textOf.decode(bytes)) };
    }
    case "t": {
      const tensor = decodeTensor(message.t ?? {}, problems, where);
      return tensor && { kind: "tensor", value: tensor };
    }
    case "g": {
      const inner = scanned?.children.get("g")?.[0];
      return { kind: "graph", value: decodeGraph(message.g ?? {}, inner, problems, `${where}, `) };
    }
    default:
      return { kind: "unsupported", value: type ?? "nothing" };
  }
}

const invalidUtf8: OnnxAttribute = { kind: "unsupported", value: "a string that is not UTF-8" };

function textAttribute(bytes: Uint8Array, make: (value: string) => OnnxAttribute): OnnxAttribute {
  return isUtf8(bytes) ? make(textOf.decode(bytes)) : invalidUtf8;
}

function isSet(message: proto.IAttributeProto, field: string): boolean {
  if (!Object.hasOwn(message, field)) return false;
  const value: unknown = message[field as keyof proto.IAttributeProto];
  return Array.isArray(value) ? value.length > 0 : value !== null && value !== undefined;
}

function safeInteger(value: Parameters<typeof toBigInt>[0], problems: ProblemSink, where: string): number | undefined {
  const wide = toBigInt(value);
  const number = safeIntegerOf(wide);
  if (number !== undefined) return number;
  return problems.report("MRL0118", where, `the integer ${wide} is beyond 2^53, so a double cannot hold it`);
}

const typeKinds = [
  ["tensorType", "tensor"],
  ["sequenceType", "sequence"],
  ["mapType", "map"],
  ["optionalType", "optional"],
  ["sparseTensorType", "sparse"],
] as const;

function decodeValueInfo(
  info: proto.IValueInfoProto,
  scanned: ScannedMessage | undefined,
  problems: ProblemSink,
  scope: string,
): OnnxValueInfo {
  const name = info.name ?? "";
  const type = info.type ?? {};
  const kind = typeKinds.find(([field]) => Object.hasOwn(type, field))?.[1] ?? "unknown";
  const tensor = type.tensorType;
  const shape = tensor?.shape;
  return {
    name,
    kind,
    dtype: tensor ? dtypeFromOnnx(tensor.elemType ?? 0) : undefined,
    dims: shape ? (shape.dim ?? []).map((dim) => decodeDimension(dim, problems, `${scope}value "${name}"`)) : undefined,
    metadata: scanned?.metadata ?? noMetadata,
  };
}

/** What exporters write for a size that they do not know. Two of them need not be equal, so it is no symbol. */
const unknownSize = /^(\?|-1|\*|None|unknown)?$/;

/** A size, a symbol, or undefined: absent, -1 as older exporters write it, or "?" as Paddle2ONNX does. */
function decodeDimension(dim: proto.TensorShapeProto.IDimension, problems: ProblemSink, where: string) {
  const symbol = dim.dimParam?.trim();
  if (symbol) return unknownSize.test(symbol) ? undefined : dim.dimParam!;
  if (!Object.hasOwn(dim, "dimValue") || dim.dimValue === null || dim.dimValue === undefined) return undefined;
  const size = toBigInt(dim.dimValue);
  if (size > 2n ** 32n) problems.report("MRL0114", where, `a dimension cannot have size ${size}`);
  return size < 0n || size > 2n ** 32n ? undefined : Number(size);
}
