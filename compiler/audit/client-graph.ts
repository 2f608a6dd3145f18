import onnxProto, { type onnx as proto } from "onnx-proto";

const { onnx } = onnxProto;

/** Strings are modes and equations of operators. */
const operatorString = /^[\x20-\x7e]{0,64}$/;

/** Fields that a message may have; a message with any other one says more than a graph. */
const graphFields = {
  model: ["irVersion", "opsetImport", "producerName", "graph"],
  opset: ["domain", "version"],
  graph: ["name", "node", "initializer", "input", "output"],
  node: ["input", "output", "name", "opType", "domain", "attribute"],
  tensor: ["name", "dims", "dataType", "rawData"],
  info: ["name", "type"],
  tensorType: ["elemType", "shape"],
  dim: ["dimValue", "dimParam"],
} as const;
/** The one field of each type of attribute, by AttributeProto.AttributeType. */
const attributeFields = new Map([
  [1, "f"],
  [2, "i"],
  [3, "s"],
  [4, "t"],
  [5, "g"],
  [6, "floats"],
  [7, "ints"],
  [8, "strings"],
]);

/** Axes of a tensor or border, and operator sets of a model. */
const mostAxes = 16;
const mostOpsets = 8;
const opsetDomain = /^[a-z.]{0,32}$/;

type Message = object | null | undefined;
/** Fields of a message that say something: a decoder gives every absent list as an empty one. */
const fieldsOf = (message: Message): readonly string[] =>
  Object.entries(message ?? {}).flatMap(([name, value]) =>
    value === null || value === undefined || (Array.isArray(value) && value.length === 0) ? [] : [name],
  );
const hasOnly = (message: Message, allowed: readonly string[]): boolean =>
  fieldsOf(message).every((name) => allowed.includes(name));

const isPlainInfo = (info: proto.IValueInfoProto): boolean => {
  const { tensorType, ...others } = info.type ?? {};
  return (
    hasOnly(info, graphFields.info) &&
    hasOnly(others, []) &&
    hasOnly(tensorType, graphFields.tensorType) &&
    (tensorType?.shape?.dim ?? []).length <= mostAxes &&
    (tensorType?.shape?.dim ?? []).every(
      (dim) => hasOnly(dim, graphFields.dim) && /^[\x20-\x7e]{0,32}$/.test(dim.dimParam ?? ""),
    )
  );
};

const isPlainTensor = (tensor: proto.ITensorProto): boolean =>
  hasOnly(tensor, graphFields.tensor) && (tensor.dims ?? []).length <= mostAxes;

function isPlainAttribute(attribute: proto.IAttributeProto): boolean {
  const own = attributeFields.get(attribute.type ?? 0);
  const strings = [...(attribute.s ? [attribute.s] : []), ...(attribute.strings ?? [])];
  return (
    own !== undefined &&
    hasOnly(attribute, ["name", "type", own]) &&
    (!attribute.t || isPlainTensor(attribute.t)) &&
    (!attribute.g || isPlainGraph(attribute.g)) &&
    strings.every((bytes) => operatorString.test(new TextDecoder().decode(bytes)))
  );
}

const isPlainGraph = (graph: proto.IGraphProto): boolean =>
  hasOnly(graph, graphFields.graph) &&
  [...(graph.input ?? []), ...(graph.output ?? [])].every(isPlainInfo) &&
  (graph.initializer ?? []).every(isPlainTensor) &&
  (graph.node ?? []).every((node) => hasOnly(node, graphFields.node) && (node.attribute ?? []).every(isPlainAttribute));

const isPlainModel = (model: proto.IModelProto): boolean =>
  hasOnly(model, graphFields.model) &&
  model.producerName === "marillc" &&
  (model.opsetImport ?? []).length <= mostOpsets &&
  (model.opsetImport ?? []).every(
    (opset) => hasOnly(opset, graphFields.opset) && opsetDomain.test(opset.domain ?? ""),
  ) &&
  isPlainGraph(model.graph ?? {});

export function decodeGraph(bytes: Uint8Array): proto.IGraphProto | undefined {
  try {
    const model = onnx.ModelProto.decode(bytes);
    // An encoder does not write what a decoder skips, so no byte hides between the fields.
    const isCanonical = Buffer.compare(onnx.ModelProto.encode(model).finish(), bytes) === 0;
    return isCanonical && isPlainModel(onnx.ModelProto.toObject(model) as proto.IModelProto)
      ? (model.graph ?? undefined)
      : undefined;
  } catch {
    return undefined;
  }
}

export const graphsIn = ({ node }: proto.IGraphProto): readonly proto.IGraphProto[] =>
  (node ?? []).flatMap(({ attribute }) => (attribute ?? []).flatMap(({ g }) => (g ? [g] : [])));
export const allNodes = (graph: proto.IGraphProto): readonly proto.INodeProto[] => [
  ...(graph.node ?? []),
  ...graphsIn(graph).flatMap(allNodes),
];

/** Initializers and tensors in attributes, in nested graphs too. */
export function tensorsOf(graph: proto.IGraphProto): readonly proto.ITensorProto[] {
  const attributes = allNodes(graph).flatMap(({ attribute, name }) =>
    (attribute ?? []).map((each) => ({ ...each, owner: name ?? "" })),
  );
  const inAttributes = attributes.flatMap(({ t, floats, ints, owner }) => [
    ...(t ? [{ ...t, name: t.name || owner }] : []),
    ...(floats && floats.length > 0 ? [attributeTensor(owner, 1, Float32Array.from(floats))] : []),
    ...(ints && ints.length > 0
      ? [
          attributeTensor(
            owner,
            7,
            BigInt64Array.from(ints, (n) => BigInt(String(n))),
          ),
        ]
      : []),
  ]);
  const initializers = (each: proto.IGraphProto): readonly proto.ITensorProto[] => [
    ...(each.initializer ?? []),
    ...graphsIn(each).flatMap(initializers),
  ];
  return [...initializers(graph), ...inAttributes];
}

/** The values of an attribute as a tensor. */
const attributeTensor = (name: string, dataType: number, { buffer, length }: Float32Array | BigInt64Array) => ({
  name,
  dataType,
  dims: [length],
  rawData: new Uint8Array(buffer),
});

export const sizeOf = (dims: proto.ITensorProto["dims"]): number =>
  (dims ?? []).map(Number).reduce((product, size) => product * size, 1);

/** Every name and text of a graph and those within it: whoever wrote them chose them. */
export const wordsOf = (graph: proto.IGraphProto): readonly string[] =>
  [
    graph.name,
    ...[...(graph.input ?? []), ...(graph.output ?? [])].flatMap(({ name, type }) => [
      name,
      ...(type?.tensorType?.shape?.dim ?? []).map(({ dimParam }) => dimParam),
    ]),
    ...(graph.initializer ?? []).map(({ name }) => name),
    ...(graph.node ?? []).flatMap(({ name, output, attribute }) => [
      ...[name, ...(output ?? [])],
      ...(attribute ?? []).flatMap(({ s, strings, t }) => [
        ...[...(s ? [s] : []), ...(strings ?? [])].map((bytes) => new TextDecoder().decode(bytes)),
        t?.name,
      ]),
    ]),
    ...graphsIn(graph).flatMap(wordsOf),
  ].filter((word): word is string => typeof word === "string" && word !== "");

/** Sizes of borders: numbers that no digest covers. */
export const borderSizes = (graph: proto.IGraphProto): number =>
  [graph, ...graphsIn(graph)].reduce(
    (sum, { input, output }) =>
      [...(input ?? []), ...(output ?? [])].reduce(
        (all, { type }) => all + (type?.tensorType?.shape?.dim ?? []).length,
        sum,
      ),
    0,
  );

/** Nodes that read a value before it exists: parts that only read each other would lie there for a reader. */
export function nodesOutOfOrder(
  graph: proto.IGraphProto,
  outer: ReadonlySet<string> = new Set([""]),
): readonly string[] {
  const known = new Set(outer);
  for (const { name } of [...(graph.input ?? []), ...(graph.initializer ?? [])]) known.add(name ?? "");
  return (graph.node ?? []).flatMap((node) => {
    const early = (node.input ?? []).some((name) => !known.has(name));
    const inner = graphsIn({ node: [node] }).flatMap((each) => nodesOutOfOrder(each, known));
    for (const name of node.output ?? []) known.add(name);
    return [...(early ? [node.output?.[0] || node.name || "a node"] : []), ...inner];
  });
}
