import { DiagnosticError, fail } from "../../../ir/diagnostic.ts";
import { sizeOf } from "../../../ir/type.ts";
import type { OnnxGraph, OnnxModel, OnnxNode, OnnxTensor } from "../format/index.ts";
import { innerGraphNames, storedTensors } from "../weights/index.ts";
import { type DequantizedWeight, dequantizerOf, type NodeSource } from "./quantized-nodes.ts";

/** Suffixes that tools append to the names of weights that they quantize. */
const quantizedSuffix = /([._](quantized|quant|dq|q\d\w*))+$/i;

/**
 * Values that a file may unpack to, beside a number for each value that it stores: few readers have scales of their
 * own.
 */
const minElementBudget = 2 ** 20;
const elementBudgetFactor = 32;

/**
 * Replaces quantized weights with their values, in the float type of their scales: the results of DequantizeLinear,
 * MatMulNBits and GatherBlockQuantized on stored tensors. Owners, names and adapters then work as for any other weight.
 * Quantized activations stay, and the import refuses them. Errors: MRL0119.
 */
export function dequantizeInitializers(model: OnnxModel): OnnxModel {
  const { graph } = model;
  if (!graph.nodes.some((node) => dequantizerOf(node) !== undefined)) return model;
  const stored = new Map(storedTensors(model).map((tensor) => [tensor.name, tensor]));
  const makers = new Map(graph.nodes.flatMap((node) => node.outputs.map((name) => [name, node] as const)));
  const source: NodeSource = { model, stored, producers: makers };
  const fixed = new Set([...graph.outputs.map(({ name }) => name), ...graph.nodes.flatMap(innerGraphNames)]);
  const taken = new Set([...stored.keys(), ...makers.keys(), ...graph.inputs.map(({ name }) => name)]);
  const unpacked = new Map<string, OnnxTensor>();
  const renamed = new Map<string, string>();
  const names = new Map<string, string>();
  const replaced = new Set<string>();
  let room =
    minElementBudget + elementBudgetFactor * [...stored.values()].reduce((sum, { dims }) => sum + sizeOf(dims), 0);

  /** The name without the tool's suffix, where that is free. */
  const nameFor = (from: string, output: string): string => {
    const plain = from.replace(/\.qweight$/, ".weight").replace(quantizedSuffix, "");
    const name = taken.has(plain) ? output : plain;
    taken.add(name);
    return name;
  };
  const unpack = (node: OnnxNode): readonly OnnxNode[] => {
    const found = dequantizeNode(node, source);
    if (!found || room < sizeOf(found.tensor.dims)) return [node];
    const [output = ""] = node.outputs;
    const keepsName = !found.nodes && fixed.has(output);
    const name = keepsName ? output : (names.get(found.key) ?? nameFor(found.sourceName, output));
    if (!unpacked.has(name)) room -= sizeOf(found.tensor.dims);
    unpacked.set(name, { ...found.tensor, name, originalName: found.sourceName });
    if (!keepsName) names.set(found.key, name);
    for (const read of found.reads) replaced.add(read);
    if (!found.nodes) renamed.set(output, name);
    return found.nodes?.(name) ?? [];
  };
  const nodes = graph.nodes.flatMap(unpack).map((node) => {
    return { ...node, inputs: node.inputs.map((name) => renamed.get(name) ?? name) };
  });
  const initializers = new Map([...graph.initializers, ...unpacked]);
  return { ...model, graph: dropReplaced({ ...graph, nodes, initializers }, replaced) };
}

function dequantizeNode(node: OnnxNode, source: NodeSource): DequantizedWeight | undefined {
  try {
    return dequantizerOf(node)?.(node, source);
  } catch (error) {
    if (error instanceof DiagnosticError || !(error instanceof Error)) throw error;
    const at = `${source.model.file}, node "${node.name}" (${node.op})`;
    return fail({ code: "MRL0119", message: `the quantized weight is inconsistent: ${error.message}`, at });
  }
}

/** Scales, zero points and packed integers are no longer weights of the model, unless another node reads them. */
function dropReplaced(graph: OnnxGraph, replaced: ReadonlySet<string>): OnnxGraph {
  const readBy = (nodes: readonly OnnxNode[]): ReadonlySet<string> =>
    new Set([
      ...nodes.flatMap((node) => [...node.inputs, ...innerGraphNames(node)]),
      ...graph.outputs.map(({ name }) => name),
    ]);
  const read = readBy(graph.nodes);
  const isIdle = ({ op, outputs: [output = ""] }: OnnxNode): boolean =>
    (op === "QuantizeLinear" || replaced.has(output)) && !read.has(output);
  const used = readBy(graph.nodes.filter((node) => !isIdle(node)));
  const gone = (name: string): boolean => replaced.has(name) && !used.has(name);
  return {
    ...graph,
    nodes: graph.nodes.filter((node) => !isIdle(node) && !(node.op === "Constant" && gone(node.outputs[0] ?? ""))),
    initializers: new Map([...graph.initializers].filter(([name]) => !gone(name))),
    inputs: graph.inputs.filter(({ name }) => !gone(name)),
  };
}
