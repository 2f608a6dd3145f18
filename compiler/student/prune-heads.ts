import type { Diagnostic } from "../../ir/diagnostic.ts";
import type { ValueId } from "../../ir/module.ts";
import type { OnnxNode } from "../onnx/format/index.ts";
import type { AttentionSite, HeadTraces } from "./attention-sites.ts";
import type { HeadOrder } from "./group-heads.ts";
import { type ModelGraph, shapeOf } from "./model-graph.ts";
import { emptyPatch, type ModelPatch } from "./model-patch.ts";
import { createNodeWriter, nodeScope } from "./node-writer.ts";
import type { HeadMarks, Trace } from "./trace-heads.ts";

/** Marks elements of a value that belong to pruned heads. */
type RemovedMask = Uint8Array;

export interface PrunedHeads {
  readonly patch: ModelPatch;
  /** MRL0684. */
  readonly problems: readonly Diagnostic[];
}

/**
 * The nodes of an attention after pruning. Its weights lose the columns and rows of pruned heads (reorder-heads.ts),
 * and nodes between them that state the number of heads get the new one. A pruned head contributes zero: the result is
 * the sum of the other heads through their rows of the output projection.
 */
export function pruneHeadsPatch(graph: ModelGraph, site: AttentionSite, order: HeadOrder): PrunedHeads {
  const problems: Diagnostic[] = [];
  const ways = site.traces as HeadTraces;
  const gone = new Map<ValueId, RemovedMask>();
  const collect = ({ marks, headOf }: Trace, kept: readonly number[]): void => {
    for (const [id, own] of marks) markRemoved(gone, id, own, (head) => !kept.includes(head), headOf);
  };
  collect(ways.q, order.queries);
  collect(ways.k, order.keys);
  collect(ways.v, order.keys);
  collect(ways.o, order.queries);
  const replaced = new Map<string, OnnxNode>();
  const write = createNodeWriter(nodeScope(site.name, "pruned"));
  const reshaped = new Set<string>();
  for (const node of graph.model.graph.nodes) {
    for (const name of node.outputs) {
      const id = graph.valueFor(name);
      if (id !== undefined && gone.get(id)?.some(Boolean)) reshaped.add(name);
    }
    if (!node.outputs.some((name) => reshaped.has(name))) continue;
    const fresh = resizedNode(graph, node, gone, write.ints);
    if (fresh === "unknown") problems.push(unknownUse(graph, site, node));
    else if (fresh) replaced.set(node.outputs[0]!, fresh);
  }
  const middle = typeof site.core === "string" ? [] : site.core.middle;
  for (const { outputs } of middle) for (const name of outputs) reshaped.add(name);
  for (const name of typeof site.core === "string" ? [] : (site.core.scores?.outputs ?? [])) reshaped.add(name);
  return { patch: { ...emptyPatch, replaced, tensors: write.tensors, reshaped }, problems };
}

function unknownUse(graph: ModelGraph, site: AttentionSite, node: OnnxNode): Diagnostic {
  const message = `${node.op} states the number of heads in a form that cannot be changed`;
  const at = `${graph.model.file}, node "${node.name}"`;
  return {
    code: "MRL0684",
    message,
    at,
    because: [`it belongs to ${site.name}`],
    help: "merge heads instead: --merge-heads 2",
  };
}

function markRemoved(
  gone: Map<ValueId, RemovedMask>,
  id: ValueId,
  { data }: HeadMarks,
  goes: (head: number) => boolean,
  headOf: Trace["headOf"],
): void {
  const own = gone.get(id) ?? new Uint8Array(data.length);
  gone.set(id, own);
  data.forEach((each, at) => {
    const head = headOf(each);
    if (head !== undefined && goes(head)) own[at] = 1;
  });
}

/** Sizes without the removed elements; undefined where the rest is no box. */
function remainingSizes(shape: readonly number[], gone: RemovedMask): readonly number[] | undefined {
  const kept = shape.map((dim) => new Uint8Array(dim));
  let count = 0;
  gone.forEach((is, at) => {
    if (is) return;
    count++;
    for (let axis = shape.length - 1, rest = at; axis >= 0; axis--) {
      kept[axis]![rest % shape[axis]!] = 1;
      rest = Math.floor(rest / shape[axis]!);
    }
  });
  const sizes = kept.map((positions) => positions.reduce((sum, is) => sum + is, 0));
  return sizes.reduce((size, dim) => size * dim, 1) === count ? sizes : undefined;
}

/** Operators that state sizes. */
const shapeOperators: ReadonlySet<string> = new Set(["Reshape", "Expand", "Split", "Slice"]);

/** The node with new sizes; undefined: it states none. */
function resizedNode(
  graph: ModelGraph,
  node: OnnxNode,
  gone: ReadonlyMap<ValueId, RemovedMask>,
  ints: (values: readonly number[]) => string,
): OnnxNode | "unknown" | undefined {
  const { module } = graph.unfused;
  const sizes = (name: string): { was: readonly number[]; is: readonly number[] } | undefined => {
    const id = graph.valueFor(name);
    const was = id === undefined ? undefined : shapeOf(module, id);
    const is = was && (gone.has(id!) ? remainingSizes(was, gone.get(id!)!) : was);
    return was && is && { was, is };
  };
  if (!shapeOperators.has(node.op)) return undefined;
  const [from, to] = [sizes(node.inputs[0]!), sizes(node.outputs[0]!)];
  if (!from || !to) return "unknown";
  if (node.op === "Reshape") {
    const { attributes } = node;
    const plain = new Map([...attributes].filter(([name]) => name !== "allowzero"));
    const dims = inferredSizes(graph, from, to);
    return dims ? { ...node, inputs: [node.inputs[0]!, ints(dims)], attributes: plain } : "unknown";
  }
  if (node.op === "Expand") {
    const dims = to.is.map((size, axis) => (size === from.is[axis] ? 1 : size));
    return { ...node, inputs: [node.inputs[0]!, ints(dims)] };
  }
  if (node.op === "Split") {
    const axis = to.was.findIndex((size, each) => size !== from.was[each]);
    const parts = node.outputs.map((name) => sizes(name)?.is[axis]);
    if (axis < 0 || parts.some((part) => part === undefined)) return "unknown";
    if ((graph.model.opsets.get("") ?? 1) < 13) {
      const attributes = new Map([...node.attributes, ["split", { kind: "ints", value: parts as number[] } as const]]);
      return { ...node, attributes };
    }
    const plain = new Map([...node.attributes].filter(([name]) => name !== "num_outputs"));
    return { ...node, inputs: [node.inputs[0]!, ints(parts as number[])], attributes: plain };
  }
  return sliceUnchanged(from, to) ? undefined : "unknown";
}

/** A slice that does not cut the axes from which heads are removed. */
const sliceUnchanged = (
  from: { was: readonly number[]; is: readonly number[] },
  to: { was: readonly number[] },
): boolean => from.was.every((size, axis) => size === from.is[axis] || to.was[axis] === size);

/** Sizes of a reshape: 0 for an axis that stays in position, −1 for the one that a symbol may stand for. */
function inferredSizes(
  graph: ModelGraph,
  from: { was: readonly number[]; is: readonly number[] },
  to: { was: readonly number[]; is: readonly number[] },
): readonly number[] | undefined {
  const symbolic = graph.model.graph.inputs.some(({ dims }) => dims?.some((dim) => typeof dim !== "number"));
  if (!symbolic) return to.is;
  const stays = (axis: number): boolean => from.is[axis] === to.is[axis] && from.was[axis] === to.was[axis];
  const others = to.is.flatMap((size, axis) => (stays(axis) || size !== to.was[axis] ? [] : [axis]));
  // With one size known, the symbolic one of two cannot be determined.
  if (others.length > 1) return undefined;
  return to.is.map((size, axis) => (stays(axis) ? 0 : others.includes(axis) ? -1 : size));
}
