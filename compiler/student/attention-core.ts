import type { OnnxNode } from "../onnx/format/index.ts";
import { type ModelGraph, shapeOf } from "./model-graph.ts";

/** A product with a scalar on the path to the scores, as in the file. */
export interface ScoreScaling {
  readonly op: "Mul" | "Div";
  readonly factor: string;
}

/** Keys or values where they enter attention. */
export interface CoreInput {
  /** ONNX tensor: [B, G, S, D], [B, G, 1, S, D], or transposed keys, [B, H, D, S]. */
  readonly tensor: string;
  readonly transposed: boolean;
  readonly scalings: readonly ScoreScaling[];
}

/** The nodes of one attention between projections, which a change of heads edits. */
export interface AttentionCore {
  /** Computes the result, [B, H, T, D]: the product with the values, or a fused Attention. */
  readonly end: OnnxNode;
  /** Computes the scores; absent for a fused Attention. */
  readonly scores: OnnxNode | undefined;
  readonly q: CoreInput;
  readonly k: CoreInput;
  readonly v: CoreInput;
  /** From the scores to the weights of the values. */
  readonly middle: readonly OnnxNode[];
}

/** Operators that may be between the scores and their product with the values. */
const middleOps: ReadonlySet<string> = new Set("Softmax Cast Identity Dropout Add Mul Div Where IsNaN".split(" "));

/** The core that ends in this node, or why there is none. */
export function findCore(graph: ModelGraph, end: OnnxNode, heads: number, groups: number): AttentionCore | string {
  if (end.op === "Attention") return fusedCore(graph, end);
  const weights = end.inputs[0]!;
  const walked = walkToScores(graph, weights, heads);
  if (typeof walked === "string") return walked;
  const { scores, middle } = walked;
  const q = stripScaling(graph, scores.inputs[0]!);
  const k = coreInputOf(graph, scores.inputs[1]!, true, heads, groups);
  const v = coreInputOf(graph, end.inputs[1]!, false, heads, groups);
  if (!k || !v) return "keys and values are repeated for groups of queries in an unknown form";
  return { end, scores, q: { ...q, transposed: false }, k, v, middle };
}

function fusedCore(graph: ModelGraph, end: OnnxNode): AttentionCore | string {
  const [q, k, v, , pastKey] = end.inputs as string[];
  if (pastKey) return "it keeps a cache: rewrite the model without one";
  const unscaled = (tensor: string): CoreInput => ({ tensor, transposed: false, scalings: [] });
  if (end.outputs.slice(1).some(Boolean)) return "its cache or scores are read";
  const rank = shapeOf(graph.unfused.module, graph.valueFor(q!)!).length;
  if (rank !== 4) return "its queries, keys and values are not split into heads";
  return { end, scores: undefined, q: unscaled(q!), k: unscaled(k!), v: unscaled(v!), middle: [] };
}

function walkToScores(
  graph: ModelGraph,
  weights: string,
  heads: number,
): { readonly scores: OnnxNode; readonly middle: readonly OnnxNode[] } | string {
  const middle: OnnxNode[] = [];
  const waiting = [weights];
  const seen = new Set<string>();
  let scores: OnnxNode | undefined;
  for (let tensor = waiting.pop(); tensor !== undefined; tensor = waiting.pop()) {
    const node = graph.producer(tensor);
    if (!node || seen.has(node.name)) continue;
    seen.add(node.name);
    if (node.op === "MatMul") {
      if (scores && scores !== node) return "its softmax has two products before it";
      scores = node;
      continue;
    }
    if (!middleOps.has(node.op)) return `${node.op} is between its scores and its values`;
    middle.push(node);
    for (const input of node.inputs.filter(Boolean)) {
      if (leadsToScores(graph, input, new Set())) waiting.push(input);
      else if (hasHeads(graph, node, input, heads)) return "a mask or bias of it differs between heads";
    }
  }
  return scores ? { scores, middle } : "its softmax has no product of queries and keys before it";
}

/** Whether a tensor depends on scores, through operators that may be between. */
function leadsToScores(graph: ModelGraph, tensor: string, seen: Set<string>): boolean {
  const node = graph.producer(tensor);
  if (!node || seen.has(tensor)) return false;
  seen.add(tensor);
  if (node.op === "MatMul") return true;
  return middleOps.has(node.op) && node.inputs.some((input) => leadsToScores(graph, input, seen));
}

/** Whether a term added to scores has a size other than 1 on the head axis. */
function hasHeads(graph: ModelGraph, node: OnnxNode, input: string, heads: number): boolean {
  const value = graph.valueFor(input);
  const { module } = graph.unfused;
  const shapes =
    value === undefined
      ? graph
          .opsOfNode(node)
          .flatMap((op) => op.operands.filter((id) => id in module.params).map((id) => shapeOf(module, id)))
      : [shapeOf(module, value)];
  return heads > 1 && shapes.some((shape) => shape.length >= 3 && shape.at(-3)! > 1);
}

/** Strips the factors right before it. */
function stripScaling(
  graph: ModelGraph,
  tensor: string,
): { readonly tensor: string; readonly scalings: readonly ScoreScaling[] } {
  const scalings: ScoreScaling[] = [];
  for (let name = tensor; ; ) {
    const found = scalingAt(graph, name);
    if (!found) return { tensor: name, scalings };
    scalings.unshift(found.scaling);
    name = found.of;
  }
}

/** x and c where a node is x · c, c · x or x / c with c of one element. */
function scalingAt(
  graph: ModelGraph,
  tensor: string,
): { readonly of: string; readonly scaling: ScoreScaling } | undefined {
  const node = graph.producer(tensor);
  if (node?.op !== "Mul" && node?.op !== "Div") return undefined;
  const value = graph.valueFor(tensor);
  if (value === undefined) return undefined;
  for (const index of node.op === "Mul" ? [0, 1] : [0]) {
    const [of, by] = [node.inputs[index]!, node.inputs[1 - index]!];
    const op = graph.opsOfNode(node).find(({ name }) => name === node.op.toLowerCase());
    const factor = op?.operands[1 - index];
    const alone = factor !== undefined && shapeOf(graph.unfused.module, factor).every((size) => size === 1);
    if (graph.valueFor(of) !== undefined && graph.valueFor(by) === undefined && alone) {
      return { of, scaling: { op: node.op, factor: by } };
    }
  }
  return undefined;
}

/**
 * Where keys or values enter, before they are repeated; undefined when the module has key heads that are not found
 * here.
 */
function coreInputOf(
  graph: ModelGraph,
  tensor: string,
  keys: boolean,
  heads: number,
  groups: number,
): CoreInput | undefined {
  const top = stripScaling(graph, tensor);
  if (groups === heads) return { ...top, transposed: keys };
  const scalings: ScoreScaling[] = [...top.scalings];
  const { module } = graph.unfused;
  for (let name = top.tensor; ; ) {
    const node = graph.producer(name);
    if (!node) return undefined;
    if (node.op === "Expand") {
      const id = graph.valueFor(node.inputs[0]!);
      const shape = id === undefined ? [] : shapeOf(module, id);
      const fits = shape.length === 5 && shape[1] === groups && shape[2] === 1;
      return fits ? { tensor: node.inputs[0]!, transposed: false, scalings } : undefined;
    }
    const scaled = scalingAt(graph, name);
    if (scaled) scalings.unshift(scaled.scaling);
    else if (node.op !== "Reshape" && node.op !== "Transpose" && node.op !== "Cast" && node.op !== "Identity")
      return undefined;
    name = scaled?.of ?? node.inputs[0]!;
  }
}
