import {
  createUnusedNames,
  type OnnxAttribute,
  type OnnxGraph,
  type OnnxModel,
  type OnnxNode,
} from "../format/index.ts";
import { bindDims, normalizeInitializers } from "../normalize/index.ts";
import { catalogWeights, elementOfDtype, innerGraphNames } from "../weights/index.ts";
import { createFoldMeter, createImportContext, displayName, type GraphOperand } from "./graph/index.ts";
import { liveNodes, lowerNodes, maxInnerNodes, storedOperand } from "./lower-nodes.ts";

/** Branches within branches; a hostile file is refused by the import instead. */
const maxRounds = 32;

/**
 * Replaces every `If` whose condition is known with its branch: by a stored constant, a size, or an input that the user
 * fixes. The branch is then a part of the graph like any other, so the client can compute what is public in it, and
 * weights of the other branch belong to no program.
 */
export function inlineKnownBranches(model: OnnxModel, dims: ReadonlyMap<string, number>): OnnxModel {
  let current = model;
  for (let round = 0; round < maxRounds; round++) {
    const taken = knownBranches(current, dims);
    if (taken.size === 0) break;
    current = normalizeInitializers({ ...current, graph: withBranches(current.graph, taken) });
  }
  return current === model ? model : { ...current, graph: withoutLostTensors(model.graph, current.graph) };
}

type Branches = ReadonlyMap<OnnxNode, OnnxGraph>;

const isIf = ({ op, domain }: OnnxNode): boolean => op === "If" && domain === "";

/** The branch that is taken, of each `If` of the outermost graph whose condition is known. */
function knownBranches(model: OnnxModel, dims: ReadonlyMap<string, number>): Branches {
  const choices = liveNodes(model.graph).filter(isIf);
  if (choices.length === 0) return new Map();
  const values = knownValues(model, dims, new Set(choices.map(({ inputs }) => inputs[0] ?? "")));
  return new Map(
    choices.flatMap((node) => {
      const condition = values.get(node.inputs[0] ?? "");
      if (condition?.kind !== "constant" || condition.tensor.data.length !== 1) return [];
      const branch = node.attributes.get(condition.tensor.data[0] === 0 ? "else_branch" : "then_branch");
      return branch?.kind === "graph" && branch.value.outputs.length >= node.outputs.length
        ? [[node, branch.value] as const]
        : [];
    }),
  );
}

/** What the import knows of these names. It reports the problems of their nodes when it visits all of them. */
function knownValues(
  model: OnnxModel,
  dims: ReadonlyMap<string, number>,
  names: ReadonlySet<string>,
): ReadonlyMap<string, GraphOperand> {
  const { graph } = model;
  const catalog = catalogWeights(model);
  const stored = [...graph.initializers.values()];
  const into = createImportContext(
    "conditions",
    () => "public",
    createFoldMeter(stored.reduce((sum, tensor) => sum + tensor.dims.reduce((a, b) => a * b, 1), 0)),
  );
  const inputs = graph.inputs.filter(({ name, dtype }) => dtype && !graph.initializers.has(name));
  const { shapes } = bindDims(model, inputs, dims);
  const given = new Map<string, GraphOperand>();
  for (const { name, dtype } of inputs) {
    const shape = shapes.get(name);
    if (shape)
      given.set(name, into.input(displayName(name), { label: "client", element: elementOfDtype(dtype!), shape }));
  }
  for (const { name } of stored) given.set(name, storedOperand(catalog, name));
  const outputs = [...names].map((name) => ({
    name,
    kind: "tensor" as const,
    dtype: undefined,
    dims: undefined,
    metadata: new Map(),
  }));
  const needed = liveNodes({ ...graph, outputs });
  return lowerNodes({ model, catalog, into, budget: { left: maxInnerNodes } }, needed, given).values;
}

/** The graph with branches in the places of their nodes. */
function withBranches(graph: OnnxGraph, branches: Branches): OnnxGraph {
  const taken = new Set([
    ...[...graph.inputs, ...graph.outputs].map(({ name }) => name),
    ...graph.initializers.keys(),
    ...graph.nodes.flatMap((node) => [...node.outputs, ...node.inputs, ...innerGraphNames(node)]),
  ]);
  const initializers = new Map(graph.initializers);
  const valueInfo = new Map(graph.valueInfo);
  // ONNX Runtime refuses two nodes of one name.
  const nodeNames = new Set(graph.nodes.map(({ name }) => name));
  const freeNode = createUnusedNames((name) => nodeNames.has(name));
  const withOwnName = (node: OnnxNode): OnnxNode => {
    const name = freeNode(node.name, (n) => `${node.name}_${n}`);
    nodeNames.add(name);
    return { ...node, name };
  };
  const nodes = graph.nodes.flatMap((node) => {
    const branch = branches.get(node);
    if (!branch) return [node];
    const names = innerNames(branch, node, taken);
    const named = (name: string): string => names.get(name) ?? name;
    for (const [name, tensor] of branch.initializers) initializers.set(named(name), { ...tensor, name: named(name) });
    for (const [name, info] of branch.valueInfo) valueInfo.set(named(name), { ...info, name: named(name) });
    const inner = branch.nodes.map((each) => renameNode(each, names));
    return [...inner, ...passedOutputs(branch, node, named)].map(withOwnName);
  });
  return { ...graph, nodes, initializers, valueInfo };
}

/** Names of what a branch defines, in the graph around it: those of the node's outputs, and unused ones for the rest. */
function innerNames(branch: OnnxGraph, { outputs }: OnnxNode, taken: Set<string>): ReadonlyMap<string, string> {
  const names = new Map<string, string>();
  const made = new Set(branch.nodes.flatMap((node) => node.outputs.filter((name) => name !== "")));
  for (const [at, { name }] of branch.outputs.entries()) {
    const outer = outputs[at] ?? "";
    if (outer !== "" && made.has(name) && !names.has(name)) names.set(name, outer);
  }
  const unused = createUnusedNames((name) => taken.has(name));
  for (const name of [...made, ...branch.initializers.keys()]) {
    if (names.has(name)) continue;
    const fresh = unused(name, (n) => `${name}_${n}`);
    taken.add(fresh);
    names.set(name, fresh);
  }
  return names;
}

/** Outputs of a branch that are a value of the graph around it, a stored tensor, or another output once more. */
function passedOutputs(branch: OnnxGraph, node: OnnxNode, named: (name: string) => string): readonly OnnxNode[] {
  return node.outputs.flatMap((output, at): OnnxNode[] => {
    const from = named(branch.outputs[at]?.name ?? "");
    if (output === "" || from === output) return [];
    return [
      {
        ...node,
        op: "Identity",
        name: `${node.name}/${output}`,
        inputs: [from],
        outputs: [output],
        attributes: new Map(),
      },
    ];
  });
}

/** A node with other names, also in its own graphs, whose definitions hide those around them. */
function renameNode(node: OnnxNode, names: ReadonlyMap<string, string>): OnnxNode {
  const named = (name: string): string => names.get(name) ?? name;
  const attributes = [...node.attributes].map(([key, attribute]): [string, OnnxAttribute] => {
    return [
      key,
      attribute.kind === "graph" ? { kind: "graph", value: renameGraph(attribute.value, names) } : attribute,
    ];
  });
  return {
    ...node,
    inputs: node.inputs.map(named),
    outputs: node.outputs.map(named),
    attributes: new Map(attributes),
  };
}

function renameGraph(graph: OnnxGraph, names: ReadonlyMap<string, string>): OnnxGraph {
  const around = new Map(names);
  for (const { name } of graph.inputs) around.delete(name);
  for (const name of [...graph.initializers.keys(), ...graph.nodes.flatMap(({ outputs }) => outputs)])
    around.delete(name);
  const outputs = graph.outputs.map((output) => ({ ...output, name: around.get(output.name) ?? output.name }));
  return { ...graph, outputs, nodes: graph.nodes.map((node) => renameNode(node, around)) };
}

/** Drops the stored tensors that only branches read that are not taken. */
function withoutLostTensors(before: OnnxGraph, after: OnnxGraph): OnnxGraph {
  const readIn = ({ nodes, outputs, inputs }: OnnxGraph): ReadonlySet<string> =>
    new Set([
      ...[...outputs, ...inputs].map(({ name }) => name),
      ...nodes.flatMap((node) => [...node.inputs, ...innerGraphNames(node)]),
    ]);
  const [was, is] = [readIn(before), readIn(after)];
  const initializers = [...after.initializers].filter(([name]) => is.has(name) || !was.has(name));
  return { ...after, initializers: new Map(initializers) };
}
