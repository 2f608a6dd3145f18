import { type Diagnostic, DiagnosticError, throwIfAny } from "../../../ir/diagnostic.ts";
import type { PlainElement } from "../../../ir/type.ts";
import type { OnnxGraph, OnnxModel, OnnxNode } from "../format/index.ts";
import { readTensor } from "../format/index.ts";
import {
  elementOfDtype,
  innerGraphNames,
  isArchitectureConstant,
  nodeLocation,
  type WeightCatalog,
} from "../weights/index.ts";
import type { GraphOperand, ImportContext, LowerContext } from "./graph/index.ts";
import { hintFor, loweringOf } from "./lower/index.ts";
import { placeholderValues } from "./placeholder-values.ts";

/** Shared by all nodes of one model. */
interface LoweringSource {
  readonly model: OnnxModel;
  readonly catalog: WeightCatalog;
  readonly into: ImportContext;
  /** How many more nodes of nested graphs may be unrolled: nested loops multiply. */
  readonly budget: { left: number };
}

/** Far more than unrolled recurrent models have; a hostile file is refused within seconds. */
export const maxInnerNodes = 2 ** 16;

type Operands = Map<string, GraphOperand>;

/** Nodes that an output depends on, in graph order. */
export function liveNodes({ nodes, outputs }: OnnxGraph): OnnxNode[] {
  const needed = new Set(outputs.map(({ name }) => name));
  const live = [...nodes].reverse().filter((node) => {
    if (!node.outputs.some((name) => needed.has(name))) return false;
    for (const name of [...node.inputs, ...innerGraphNames(node)]) needed.add(name);
    return true;
  });
  return live.reverse();
}

const innerGraphs = ({ attributes }: OnnxNode): readonly OnnxGraph[] =>
  [...attributes.values()].flatMap((attribute) => (attribute.kind === "graph" ? [attribute.value] : []));

export function unknownOperators(model: OnnxModel, nodes: readonly OnnxNode[]): Diagnostic[] {
  return nodes.flatMap((node) => {
    const inner = innerGraphs(node).flatMap((graph) => unknownOperators(model, graph.nodes));
    if (loweringOf(node)) return inner;
    const domain = node.domain === "" ? "" : ` of ${node.domain}`;
    const message = `the operator ${node.op}${domain} is not supported`;
    return [{ code: "MRL0401", message, at: nodeLocation(model, node), help: hintFor(node) }, ...inner];
  });
}

export const uncomputedOutput = ({ file }: OnnxModel, name: string): Diagnostic => {
  return { code: "MRL0404", message: `nothing computes the output "${name}"`, at: file };
};

export function storedOperand({ weights, ownedIntegers, model }: WeightCatalog, name: string): GraphOperand {
  const weight = weights.get(name);
  if (weight && !ownedIntegers.has(name)) return { kind: "weight", weight, views: [], tensor: weight.tensor() };
  const source = model.graph.initializers.get(name)!;
  return { kind: "constant", tensor: readTensor(model, source), element: elementOfDtype(source.dtype), name };
}

/** Lowers the nodes. Adds the operands of their outputs to `values`, and returns the problems in node order. */
export function lowerNodes(
  source: LoweringSource,
  nodes: readonly OnnxNode[],
  values: Operands,
  problems: Diagnostic[],
): void {
  for (const node of nodes) {
    const [output = ""] = node.outputs;
    const { weights, ownedIntegers } = source.catalog;
    const weight = node.op === "Constant" && !ownedIntegers.has(output) ? weights.get(output) : undefined;
    if (weight) values.set(output, { kind: "weight", weight, views: [], tensor: weight.tensor() });
    // A node whose inputs failed before is passed over: its fault is theirs.
    else if (node.inputs.every((name) => name === "" || values.has(name))) lowerNode(source, node, values, problems);
  }
}

function lowerNode(source: LoweringSource, node: OnnxNode, values: Operands, problems: Diagnostic[]): void {
  const { model, into } = source;
  try {
    const results = [loweringOf(node)!(lowerContextFor(source, node, values))].flat();
    const named = node.outputs.flatMap((name, index): [string, GraphOperand][] => {
      const operand = results[index];
      return name === "" || !operand ? [] : [[name, operand]];
    });
    into.flush(node.name, named);
    for (const [name, operand] of named) {
      values.set(name, operand.kind === "constant" ? { ...operand, name } : operand);
    }
  } catch (error) {
    if (error instanceof DiagnosticError) problems.push(...error.diagnostics);
    else if (!(error instanceof Error)) throw error;
    else problems.push(nodeDiagnostic(node, error, nodeLocation(model, node)));
    into.discard();
    for (const [name, operand] of placeholderValues(model, node, values, into)) values.set(name, operand);
  }
}

/** Errors that no lowering throws on purpose: no lowering anticipated such a node. */
function nodeDiagnostic({ op }: OnnxNode, error: Error, at: string): Diagnostic {
  if (error.name === "Error") return { code: "MRL0404", message: `${op}: ${error.message}`, at };
  const message = `${op}: its inputs or attributes do not fit the operator (${error.name}: ${error.message})`;
  return {
    code: "MRL0408",
    message,
    at,
    help: "check the model with onnx.checker; if it passes, please report this as an internal error",
  };
}

function lowerContextFor(source: LoweringSource, node: OnnxNode, values: Operands): LowerContext {
  const { model, into } = source;
  const name = node.outputs[0] || node.name;
  return {
    node,
    opset: model.opsets.get(node.domain) ?? 1,
    inputs: node.inputs.map((input) => values.get(input)),
    shape: (operand) => (operand.kind === "value" ? operand.type.shape : operand.tensor.shape),
    element: (operand) => {
      if (operand.kind === "weight") return { kind: "f32" };
      return operand.kind === "constant" ? operand.element : (operand.type.element as PlainElement);
    },
    emit: into.emit,
    constant: (tensor, element) => {
      into.meter(node.op, [], tensor.shape, {});
      return { kind: "constant", tensor, element, name };
    },
    read: (tensor) => readTensor(model, tensor),
    narrowOf: (index) => model.graph.initializers.get(node.inputs[index] ?? "")?.narrow,
    run: (graph, inputs) => lowerInnerGraph(source, graph, inputs, values),
  };
}

/** The outputs of a graph inside a node, which also reads the values of the enclosing graph. */
function lowerInnerGraph(
  source: LoweringSource,
  graph: OnnxGraph,
  inputs: readonly GraphOperand[],
  outer: Operands,
): readonly GraphOperand[] {
  const { model, into } = source;
  const values: Operands = new Map(outer);
  const problems: Diagnostic[] = [];
  for (const stored of graph.initializers.values()) {
    // Provenance refers to tensors of the outermost graph, where `normalizeInitializers` moves them.
    if (!isArchitectureConstant(stored, () => readTensor(model, stored))) {
      throw new Error(`expected the weight "${stored.name}" outside the node's own graph`);
    }
    const tensor = readTensor(model, stored);
    values.set(stored.name, { kind: "constant", tensor, element: elementOfDtype(stored.dtype), name: stored.name });
  }
  graph.inputs.forEach(({ name }, index) => {
    const operand = inputs[index];
    if (operand) values.set(name, operand);
  });
  const nodes = liveNodes(graph);
  // Copies the values of the enclosing graph, and visits every node.
  source.budget.left -= 1 + nodes.length + Math.floor((graph.nodes.length + outer.size) / 64);
  if (source.budget.left < 0) throw new Error(`expected at most ${maxInnerNodes} nodes after loops are unrolled`);
  into.withoutSources(() => lowerNodes(source, nodes, values, problems));
  throwIfAny(problems);
  return graph.outputs.map(({ name }) => {
    const operand = values.get(name);
    if (!operand) throw new Error(`nothing computes the inner output "${name}"`);
    return operand;
  });
}
