import { sizeOf } from "../../../ir/type.ts";
import { type Dtype, dtypeFromOnnx, encodeElements, encodeWeight } from "../../tensors/index.ts";
import {
  createUnusedNames,
  type OnnxAttribute,
  type OnnxGraph,
  type OnnxModel,
  type OnnxNode,
  type OnnxTensor,
  readTensor,
} from "../format/index.ts";
import { innerGraphNames, storedTensors } from "../weights/index.ts";

/**
 * Turns every stored value of the model into an initializer of the outermost graph, so that the ownership decision sees
 * all of them. A file also stores values as lists in attributes, within nested graphs, as integers that a Cast makes
 * real, and one parameter under several names (Identity, which TorchScript writes for equal parameters).
 */
export function normalizeInitializers(model: OnnxModel): OnnxModel {
  return foldIntegerCasts(resolveIdentities(hoistInnerTensors(model)));
}

const floats = (values: readonly number[]): Float64Array => Float64Array.from(values);

const inlineTensor = (
  name: string,
  dtype: "float32" | "int64",
  dims: readonly number[],
  values: readonly number[],
): OnnxTensor => {
  return { name, dtype, dims, source: { kind: "inline", bytes: encodeElements(dtype, floats(values)) } };
};

/** A parameter's name starts with a module. */
const parameterName = /^[A-Za-z_]\w*(\.\w+)+$/;

/**
 * The tensor of a Constant node, from any of its attributes. A scalar is control data, unless it has a parameter's
 * name.
 */
function constantTensor({ op, domain, attributes, outputs }: OnnxNode): OnnxTensor | undefined {
  if (op !== "Constant" || domain !== "") return undefined;
  const name = outputs[0] ?? "";
  for (const [key, { kind, value }] of attributes) {
    if (key === "value" && kind === "tensor") return { ...value, name };
    if (key === "value_float" && kind === "float" && parameterName.test(name))
      return inlineTensor(name, "float32", [], [value]);
    if (key === "value_floats" && kind === "floats") return inlineTensor(name, "float32", [value.length], value);
    if (key === "value_ints" && kind === "ints") return inlineTensor(name, "int64", [value.length], value);
  }
  return undefined;
}

const withTensorValue = (node: OnnxNode): OnnxNode => {
  const value = constantTensor(node);
  return value ? { ...node, attributes: new Map<string, OnnxAttribute>([["value", { kind: "tensor", value }]]) } : node;
};

const isFloatType = (dtype: Dtype): boolean => /float/.test(dtype);

/** Moves tensors of nested graphs to the outermost one; a name in use gets a number. */
function hoistInnerTensors(model: OnnxModel): OnnxModel {
  const { graph } = model;
  const taken = new Set([
    ...graph.inputs.map(({ name }) => name),
    ...graph.initializers.keys(),
    ...graph.nodes.flatMap(({ outputs }) => outputs),
  ]);
  const found = new Map<string, OnnxTensor>();
  const unused = createUnusedNames((name) => taken.has(name));
  const move = (tensor: OnnxTensor): string => {
    const name = unused(tensor.name, (n) => `${tensor.name}_${n}`);
    taken.add(name);
    found.set(name, { ...tensor, name });
    return name;
  };
  /** `names` maps the tensors of the enclosing graphs to their new names. */
  const within = (inner: OnnxGraph, around: ReadonlyMap<string, string>): OnnxGraph => {
    const names = new Map(around);
    // Names that a graph defines shadow those of the enclosing graphs.
    for (const { name } of inner.inputs) names.delete(name);
    for (const name of inner.nodes.flatMap(({ outputs }) => outputs)) names.delete(name);
    const open = new Set([...inner.outputs.map(({ name }) => name), ...inner.inputs.map(({ name }) => name)]);
    const moves = ({ name, dtype, dims }: OnnxTensor): boolean =>
      !open.has(name) && (isFloatType(dtype) || sizeOf(dims) > 1);
    const initializers = new Map(inner.initializers);
    for (const tensor of inner.initializers.values()) {
      names.delete(tensor.name);
      if (!moves(tensor)) continue;
      names.set(tensor.name, move(tensor));
      initializers.delete(tensor.name);
    }
    const nodes = inner.nodes.filter((node) => {
      const tensor = constantTensor(node);
      if (!tensor || !moves(tensor)) return true;
      names.set(tensor.name, move(tensor));
      return false;
    });
    const outputs = inner.outputs.map((output) => ({ ...output, name: names.get(output.name) ?? output.name }));
    return { ...inner, initializers, outputs, nodes: nodes.map((node) => renamed(node, names)) };
  };
  const renamed = (node: OnnxNode, names: ReadonlyMap<string, string>): OnnxNode => {
    const attributes = [...node.attributes].map(([key, attribute]): [string, OnnxAttribute] => {
      return [key, attribute.kind === "graph" ? { kind: "graph", value: within(attribute.value, names) } : attribute];
    });
    const inputs = node.inputs.map((name) => names.get(name) ?? name);
    return withTensorValue({ ...node, inputs, attributes: new Map(attributes) });
  };
  const open = new Set(graph.outputs.map(({ name }) => name));
  const nodes = graph.nodes.flatMap((node) => {
    const tensor = constantTensor(node);
    if (!tensor || open.has(tensor.name) || !parameterName.test(tensor.name)) return [renamed(node, new Map())];
    found.set(tensor.name, tensor);
    return [];
  });
  return { ...model, graph: { ...graph, nodes, initializers: new Map([...graph.initializers, ...found]) } };
}

/** Replaces an Identity of a stored tensor with a stored tensor of its own name. */
function resolveIdentities(model: OnnxModel): OnnxModel {
  const { graph } = model;
  const initializers = new Map(graph.initializers);
  const open = new Set(graph.outputs.map(({ name }) => name));
  const given = new Set(graph.inputs.map(({ name }) => name));
  const nodes = graph.nodes.filter(({ op, domain, inputs: [from = ""], outputs: [to = ""] }) => {
    const tensor = op === "Identity" && domain === "" && !open.has(to) ? initializers.get(from) : undefined;
    // The default of an input is not a stored tensor: the caller may override it.
    if (!tensor || given.has(from) || !isFloatType(tensor.dtype)) return true;
    initializers.set(to, { ...tensor, name: to, originalName: tensor.originalName ?? from });
    return false;
  });
  return { ...model, graph: { ...graph, nodes, initializers } };
}

/**
 * Integers that a Cast makes real are values of a weight, as quantization tools write them, or of a mask. They keep
 * their name where no other node reads the integers.
 */
function foldIntegerCasts(model: OnnxModel): OnnxModel {
  const { graph } = model;
  const stored = new Map(storedTensors(model).map((tensor) => [tensor.name, tensor]));
  const fixed = new Set([...graph.outputs, ...graph.inputs].map(({ name }) => name));
  const readers = new Map<string, number>();
  for (const name of graph.nodes.flatMap((node) => [...node.inputs, ...innerGraphNames(node)])) {
    readers.set(name, (readers.get(name) ?? 0) + 1);
  }
  const inner = new Set(graph.nodes.flatMap(innerGraphNames));
  const initializers = new Map(graph.initializers);
  const names = new Map<string, string>();
  const gone = new Set<string>();
  for (const { op, domain, inputs, outputs, attributes } of graph.nodes) {
    const [from = "", output = ""] = [inputs[0], outputs[0]];
    const tensor = op === "Cast" && domain === "" ? stored.get(from) : undefined;
    const to = attributes.get("to");
    const dtype = to?.kind === "int" ? dtypeFromOnnx(to.value) : undefined;
    if (!tensor || tensor.narrow || sizeOf(tensor.dims) <= 1 || [from, output].some((name) => fixed.has(name)))
      continue;
    if (!dtype || !isFloatType(dtype) || isFloatType(tensor.dtype)) continue;
    // Unnamed booleans are masks.
    if (tensor.dtype === "bool" && !parameterName.test(from)) continue;
    const name = readers.get(from) === 1 && !inner.has(output) ? from : output;
    const bytes = (): Uint8Array => encodeWeight(dtype, readTensor(model, tensor));
    initializers.set(name, { name, dtype, dims: tensor.dims, source: { kind: "computed", bytes }, originalName: from });
    names.set(output, name);
    if (name === from) gone.add(from);
  }
  if (names.size === 0) return model;
  const nodes = graph.nodes
    .filter(({ outputs }) => !outputs.some((name) => names.has(name) || gone.has(name)))
    .map((node) => ({ ...node, inputs: node.inputs.map((name) => names.get(name) ?? name) }));
  return { ...model, graph: { ...graph, nodes, initializers } };
}
