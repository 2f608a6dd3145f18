import { findDuplicates } from "../../tensors/files/index.ts";
import type { OnnxAttribute, OnnxGraph, OnnxNode } from "./model-records.ts";
import type { ProblemSink } from "./problem-sink.ts";

/** The names that a graph may read: its own and those of the enclosing graphs. */
interface NameScope {
  readonly names: ReadonlySet<string>;
  readonly outer: NameScope | undefined;
}

interface OrderedGraph {
  readonly graph: OnnxGraph;
  /** Values of enclosing graphs that this one reads. */
  readonly captured: ReadonlySet<string>;
}

/**
 * Checks, in nested graphs too, that every name is defined once and before its use. Returns the graph with its nodes in
 * topological order, which is the order of the file where that is valid.
 */
export function orderGraph(
  graph: OnnxGraph,
  outer: NameScope | undefined,
  problems: ProblemSink,
  where: string,
): OrderedGraph {
  const inputs = graph.inputs.map((info) => info.name);
  const inputNames = new Set(inputs);
  const made = graph.nodes.flatMap((node) => node.outputs).filter(Boolean);
  // An initializer may share its name with an input: it is the default of that input (IR 3 even requires this).
  const names = new Set([...inputs, ...graph.initializers.keys(), ...made]);
  const once = [...inputs, ...[...graph.initializers.keys()].filter((name) => !inputNames.has(name)), ...made];
  for (const name of findDuplicates(once)) problems.report("MRL0111", where, `the value "${name}" is defined twice`);
  for (const name of names) {
    if (isInScope(outer, name)) problems.report("MRL0111", where, `the value "${name}" shadows one of an outer graph`);
  }
  const scope: NameScope = { names, outer };
  const free = new Set<string>();
  const uses = new Map<OnnxNode, readonly string[]>();
  const nodes = graph.nodes.map((node) => {
    const nodeLocation = `${where}node "${node.name}"`;
    const inner = orderInnerGraphs(node, scope, problems, nodeLocation);
    const used = [...node.inputs.filter(Boolean), ...inner.free];
    for (const name of used) {
      if (names.has(name)) continue;
      if (isInScope(outer, name)) free.add(name);
      else problems.report("MRL0112", nodeLocation, `no node, input or initializer defines the input "${name}"`);
    }
    uses.set(inner.node, used);
    return inner.node;
  });
  for (const { name } of graph.outputs) {
    if (names.has(name)) continue;
    if (isInScope(outer, name)) free.add(name);
    else problems.report("MRL0112", where, `no node, input or initializer defines the output "${name}"`);
  }
  return { graph: { ...graph, nodes: topologicalOrder(nodes, uses, problems, where) }, captured: free };
}

function isInScope(scope: NameScope | undefined, name: string): boolean {
  for (let at = scope; at; at = at.outer) if (at.names.has(name)) return true;
  return false;
}

function orderInnerGraphs(node: OnnxNode, scope: NameScope, problems: ProblemSink, where: string) {
  const free = new Set<string>();
  const attributes = new Map<string, OnnxAttribute>();
  let nested = false;
  for (const [name, attribute] of node.attributes) {
    if (attribute.kind !== "graph") {
      attributes.set(name, attribute);
      continue;
    }
    nested = true;
    const inner = orderGraph(attribute.value, scope, problems, `${where}, attribute "${name}", `);
    for (const value of inner.captured) free.add(value);
    attributes.set(name, { kind: "graph", value: inner.graph });
  }
  return { node: nested ? { ...node, attributes } : node, free };
}

/** Depth first in file order: a node follows the last of its inputs, and a sorted file keeps its order. */
function topologicalOrder(
  nodes: readonly OnnxNode[],
  uses: ReadonlyMap<OnnxNode, readonly string[]>,
  problems: ProblemSink,
  where: string,
): OnnxNode[] {
  const makers = new Map(nodes.flatMap((node) => node.outputs.filter(Boolean).map((name) => [name, node] as const)));
  const done = new Set<OnnxNode>();
  const open = new Set<OnnxNode>();
  const out: OnnxNode[] = [];
  // An explicit stack: a chain of a million nodes must not end in a RangeError.
  const stack: { readonly node: OnnxNode; next: number }[] = [];
  const enter = (node: OnnxNode) => {
    open.add(node);
    stack.push({ node, next: 0 });
  };
  for (const root of nodes) {
    if (!done.has(root)) enter(root);
    for (let top = stack.at(-1); top; top = stack.at(-1)) {
      const used = uses.get(top.node)!;
      if (top.next === used.length) {
        open.delete(top.node);
        done.add(top.node);
        out.push(top.node);
        stack.pop();
        continue;
      }
      const maker = makers.get(used[top.next++]!);
      if (!maker || done.has(maker)) continue;
      if (open.has(maker)) {
        const cycle = [...open].slice([...open].indexOf(maker)).map((node) => node.name);
        const shown = [...cycle.slice(0, 8), ...(cycle.length > 8 ? ["…"] : []), maker.name];
        problems.report("MRL0113", where, `the graph has a cycle: ${shown.join(" -> ")}`);
        return [...nodes];
      }
      enter(maker);
    }
  }
  return out;
}
