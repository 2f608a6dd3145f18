import type { OnnxModel, OnnxTensor } from "../onnx/format/index.ts";
import { tensorBytes } from "../onnx/format/index.ts";
import { itemSizes } from "../tensors/index.ts";
import type { HeadOrder } from "./grouping.ts";
import type { Ways } from "./sites.ts";
import type { Trace } from "./trace.ts";

/**
 * The stored tensors with their heads in another order, or with the heads in `order` alone:
 *
 *   attention with (Wq, Wk, Wv, Wo) = attention with (Wq·P, Wk·P', Wv·P', Pᵀ·Wo)
 *
 * for permutations P, P' of whole heads that keep each query with its keys: heads do not see each other, and the
 * projection of the result adds them up. Biases of queries, keys and values move with their columns.
 */
export function reorderedTensors(model: OnnxModel, { q, k, v, o }: Ways, order: HeadOrder): readonly OnnxTensor[] {
  const moves = new Map<string, Move>();
  const collect = ({ blocks: found }: Trace, heads: readonly number[]): void => {
    for (const { tensor, axis, blocks } of found) {
      const { dims } = model.graph.initializers.get(tensor)!;
      const move = moves.get(tensor) ?? { axis, source: [...Array(dims[axis]!).keys()] };
      moves.set(tensor, move);
      // Places of the first heads take the contents of those in the order; further places fall away.
      heads.forEach((head, at) => {
        blocks[at]!.forEach((place, d) => {
          move.source[place] = blocks[head]![d]!;
        });
      });
      for (const block of blocks.slice(heads.length)) for (const place of block) move.source[place] = dropped;
    }
  };
  collect(q, order.queries);
  collect(k, order.keys);
  collect(v, order.keys);
  collect(o, order.queries);
  return [...moves].flatMap(([name, { axis, source }]) => {
    const unchanged = source.every((from, place) => from === place);
    return unchanged
      ? []
      : [
          gathered(
            model,
            model.graph.initializers.get(name)!,
            axis,
            source.filter((from) => from !== dropped),
          ),
        ];
  });
}

const dropped = -1;

interface Move {
  readonly axis: number;
  /** Old place of what comes to each place. */
  readonly source: number[];
}

/** The slices of a tensor along an axis that `places` names, as they are in the file. */
function gathered(model: OnnxModel, tensor: OnnxTensor, axis: number, places: readonly number[]): OnnxTensor {
  const bytes = tensorBytes(model, tensor);
  const { dims, dtype, name } = tensor;
  const outer = dims.slice(0, axis).reduce((size, extent) => size * extent, 1);
  const inner = dims.slice(axis + 1).reduce((size, extent) => size * extent, itemSizes[dtype]);
  const out = new Uint8Array(outer * places.length * inner);
  for (let o = 0; o < outer; o++) {
    places.forEach((place, at) => {
      const from = (o * dims[axis]! + place) * inner;
      out.set(bytes.subarray(from, from + inner), (o * places.length + at) * inner);
    });
  }
  const shape = dims.map((extent, each) => (each === axis ? places.length : extent));
  return { name, dtype, dims: shape, source: { kind: "inline", bytes: out } };
}
