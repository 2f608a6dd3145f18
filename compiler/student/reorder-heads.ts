import { type OnnxModel, type OnnxTensor, tensorBytes } from "../onnx/format/index.ts";
import { itemSizes } from "../tensors/index.ts";
import type { HeadTraces } from "./attention-sites.ts";
import type { HeadOrder } from "./group-heads.ts";
import type { Trace } from "./trace-heads.ts";

/**
 * The stored tensors with their heads in another order, or with the heads in `order` alone:
 *
 *   attention with (Wq, Wk, Wv, Wo) = attention with (Wq·P, Wk·P', Wv·P', Pᵀ·Wo)
 *
 * for permutations P, P' of whole heads that keep each query with its keys: heads are independent, and the output
 * projection sums them. Biases of queries, keys and values move with their columns.
 */
export function reorderHeads(model: OnnxModel, { q, k, v, o }: HeadTraces, order: HeadOrder): readonly OnnxTensor[] {
  const moves = new Map<string, AxisReorder>();
  const collect = ({ blocks: found }: Trace, heads: readonly number[]): void => {
    for (const { tensor, axis, blocks } of found) {
      const { dims } = model.graph.initializers.get(tensor)!;
      const move = moves.get(tensor) ?? { axis, source: [...Array(dims[axis]!).keys()] };
      moves.set(tensor, move);
      // The first heads take the contents of those in the order; the remaining ones are dropped.
      heads.forEach((head, at) => {
        blocks[at]!.forEach((index, d) => {
          move.source[index] = blocks[head]![d]!;
        });
      });
      for (const block of blocks.slice(heads.length)) for (const index of block) move.source[index] = droppedIndex;
    }
  };
  collect(q, order.queries);
  collect(k, order.keys);
  collect(v, order.keys);
  collect(o, order.queries);
  return [...moves].flatMap(([name, { axis, source }]) => {
    const unchanged = source.every((from, index) => from === index);
    return unchanged
      ? []
      : [
          gatherTensor(
            model,
            model.graph.initializers.get(name)!,
            axis,
            source.filter((from) => from !== droppedIndex),
          ),
        ];
  });
}

const droppedIndex = -1;

interface AxisReorder {
  readonly axis: number;
  /** The old index of each new index. */
  readonly source: number[];
}

/** The slices of a tensor along an axis at `indices`, as stored. */
function gatherTensor(model: OnnxModel, tensor: OnnxTensor, axis: number, indices: readonly number[]): OnnxTensor {
  const bytes = tensorBytes(model, tensor);
  const { dims, dtype, name } = tensor;
  const outer = dims.slice(0, axis).reduce((size, dim) => size * dim, 1);
  const inner = dims.slice(axis + 1).reduce((size, dim) => size * dim, itemSizes[dtype]);
  const out = new Uint8Array(outer * indices.length * inner);
  for (let o = 0; o < outer; o++) {
    indices.forEach((index, at) => {
      const from = (o * dims[axis]! + index) * inner;
      out.set(bytes.subarray(from, from + inner), (o * indices.length + at) * inner);
    });
  }
  const shape = dims.map((dim, each) => (each === axis ? indices.length : dim));
  return { name, dtype, dims: shape, source: { kind: "inline", bytes: out } };
}
