import { type Diagnostic, DiagnosticError, throwIfAny } from "../../../ir/diagnostic.ts";
import type { PlainElement } from "../../../ir/type.ts";
import { type OnnxGraph, type OnnxModel, type OnnxNode, readTensor } from "../format/index.ts";
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

type Operands = ReadonlyMap<string, GraphOperand>;

type NamedOperand = readonly [string, GraphOperand];

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

export interface LoweredNodes {
  /** The given operands, and those of the nodes' outputs. */
  readonly values: Operands;
  /** In node order. */
  readonly problems: readonly Diagnostic[];
}

/** Lowers nodes on the given operands. */
export function lowerNodes(
  source: LoweringSource,
  nodes: readonly OnnxNode[],
  given: Iterable<NamedOperand>,
): LoweredNodes {
  const values = new Map(given);
  const problems: Diagnostic[] = [];
  for (const node of nodes) {
    const [output = ""] = node.outputs;
    const { weights, ownedIntegers } = source.catalog;
    const weight = node.op === "Constant" && !ownedIntegers.has(output) ? weights.get(output) : undefined;
    if (weight) values.set(output, { kind: "weight", weight, views: [], tensor: weight.tensor() });
    // Skips a node whose inputs failed before: its problem is theirs.
    else if (node.inputs.every((name) => name === "" || values.has(name))) {
      const lowered = lowerNode(source, node, values);
      problems.push(...lowered.problems);
      for (const [name, operand] of lowered.outputs) values.set(name, operand);
    }
  }
  return { values, problems };
}

interface LoweredNode {
  readonly outputs: readonly NamedOperand[];
  readonly problems: readonly Diagnostic[];
}

/** Lowers one node; a refused one has placeholders for outputs. */
function lowerNode(source: LoweringSource, node: OnnxNode, values: Operands): LoweredNode {
  const { model, into } = source;
  try {
    const results = [loweringOf(node)!(lowerContextFor(source, node, values))].flat();
    const named = node.outputs.flatMap((name, index): [string, GraphOperand][] => {
      const operand = results[index];
      return name === "" || !operand ? [] : [[name, operand]];
    });
    into.flush(node.name, named);
    const outputs = named.map(
      ([name, operand]): NamedOperand => [name, operand.kind === "constant" ? { ...operand, name } : operand],
    );
    return { outputs, problems: [] };
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    into.discard();
    const problems =
      error instanceof DiagnosticError ? error.diagnostics : [nodeDiagnostic(node, error, nodeLocation(model, node))];
    return { outputs: placeholderValues(model, node, values, into), problems };
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
  const constants = [...graph.initializers.values()].map((stored): NamedOperand => {
    // Provenance refers to tensors of the outermost graph, where `normalizeInitializers` moves them.
    if (!isArchitectureConstant(stored, () => readTensor(model, stored))) {
      throw new Error(`expected the weight "${stored.name}" outside the node's own graph`);
    }
    const tensor = readTensor(model, stored);
    const element = elementOfDtype(stored.dtype);
    return [stored.name, { kind: "constant", tensor, element, name: stored.name }];
  });
  const bound = graph.inputs.flatMap(({ name }, index): NamedOperand[] => {
    const operand = inputs[index];
    return operand ? [[name, operand]] : [];
  });
  const nodes = liveNodes(graph);
  // Copies the values of the enclosing graph, and visits every node.
  source.budget.left -= 1 + nodes.length + Math.floor((graph.nodes.length + outer.size) / 64);
  if (source.budget.left < 0) throw new Error(`expected at most ${maxInnerNodes} nodes after loops are unrolled`);
  const given = [...outer, ...constants, ...bound];
  const { values, problems } = into.withoutSources(() => lowerNodes(source, nodes, given));
  throwIfAny(problems);
  return graph.outputs.map(({ name }) => {
    const operand = values.get(name);
    if (!operand) throw new Error(`nothing computes the inner output "${name}"`);
    return operand;
  });
}
