import type { Tensor } from "../../ir/tensor.ts";
import { readTensor } from "../onnx/format/index.ts";
import type { HeadTraces } from "./attention-sites.ts";
import type { ModelGraph } from "./model-graph.ts";
import type { HeadBlocks } from "./trace-heads.ts";

/** One matrix [D, width] per head: a row per column of the projection. */
type HeadMatrices = readonly Float64Array[];

interface HeadSet {
  readonly width: number;
  readonly depth: number;
  readonly heads: HeadMatrices;
}

/** Similarity of heads from the public weights: `scores` are ⟨Aᵢ, Aⱼ⟩, `weights` ‖Aᵢ‖ · ‖Vᵢ·Oᵢ‖. */
export interface HeadSimilarity {
  readonly scores: readonly Float64Array[];
  readonly weights: readonly number[];
}

/**
 * Head i scores xᵀ·Aᵢ·y with Aᵢ = Wqᵢ·Wkᵢᵀ, so heads are alike where these are: ⟨Aᵢ, Aⱼ⟩ = Σ (WqᵢᵀWqⱼ) ∘ (WkᵢᵀWkⱼ).
 * Since Σ‖Aᵢ‖² is fixed, pairs with the greatest sum of ⟨Aᵢ, Aⱼ⟩ are those with the least Σ‖Aᵢ − Aⱼ‖². Biases and
 * rotary positions are ignored.
 *
 * The weight of a head is ‖Aᵢ‖ · ‖Wvᵢ·Woᵢ‖: how far it can move its scores, times how far its values can move the result.
 */
export function headSimilarity(graph: ModelGraph, traces: HeadTraces, queriesPerKey: number): HeadSimilarity {
  const [q, k, v, o] = [traces.q, traces.k, traces.v, traces.o].map(({ blocks }) => headMatrices(graph, blocks));
  const count = q!.heads.length;
  const group = (head: number): number => Math.floor(head / queriesPerKey);
  const [keys, values, outs] = [k!, v!, o!].map((each) => cachedGram(each));
  const queries = cachedGram(q!);
  const scores = Array.from({ length: count }, () => new Float64Array(count));
  for (let i = 0; i < count; i++) {
    for (let j = 0; j <= i; j++) {
      const score = dot(queries(i, j), keys!(group(i), group(j)));
      scores[i]![j] = scores[j]![i] = score;
    }
  }
  const weights = Array.from({ length: count }, (_, head) =>
    Math.sqrt(scores[head]![head]! * dot(values!(group(head), group(head)), outs!(head, head))),
  );
  return { scores, weights };
}

/**
 * The matrix of a projection by heads; among several (a low-rank change beside it), the one that reads the whole width.
 */
function headMatrices(graph: ModelGraph, found: readonly HeadBlocks[]): HeadSet {
  const tensorOf = ({ tensor }: HeadBlocks): Tensor =>
    readTensor(graph.model, graph.model.graph.initializers.get(tensor)!);
  const widthOf = ({ tensor, axis }: HeadBlocks): number =>
    graph.model.graph.initializers.get(tensor)!.dims[1 - axis] ?? 1;
  const flat = found.filter(({ tensor }) => graph.model.graph.initializers.get(tensor)!.dims.length === 2);
  const whole = flat.reduce((best, each) => (widthOf(each) > widthOf(best) ? each : best));
  const { shape, data } = tensorOf(whole);
  const width = shape[1 - whole.axis]!;
  const columns = shape[1]!;
  const at = (index: number, other: number): number =>
    whole.axis === 1 ? data[other * columns + index]! : data[index * columns + other]!;
  const heads = whole.blocks.map((block) => {
    const rows = new Float64Array(block.length * width);
    block.forEach((index, d) => {
      for (let x = 0; x < width; x++) rows[d * width + x] = at(index, x);
    });
    return rows;
  });
  return { width, depth: whole.blocks[0]!.length, heads };
}

/** WᵢᵀWⱼ, [D, D], each computed once. */
function cachedGram({ heads, width, depth }: HeadSet): (i: number, j: number) => Float64Array {
  const made = new Map<number, Float64Array>();
  return (i, j) => {
    const key = i * heads.length + j;
    const known = made.get(key);
    if (known) return known;
    const product = new Float64Array(depth * depth);
    for (let a = 0; a < depth; a++) {
      const left = heads[i]!.subarray(a * width, (a + 1) * width);
      for (let b = 0; b < depth; b++)
        product[a * depth + b] = dot(left, heads[j]!.subarray(b * width, (b + 1) * width));
    }
    made.set(key, product);
    return product;
  };
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let x = 0; x < a.length; x++) sum += a[x]! * b[x]!;
  return sum;
}
