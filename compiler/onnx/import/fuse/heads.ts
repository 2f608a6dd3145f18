import type { ValueId } from "../../../../ir/module.ts";
import type { Fusion, FusionMatcher } from "./matcher.ts";

/** Batch and heads of [B, H, M, N] where [B·H, M, N] is reshaped from or to it. */
function batchAndHeads(wide: readonly number[], narrow: readonly number[]): readonly [number, number] | undefined {
  const [batch, heads, ...rest] = wide as [number, number, ...number[]];
  const fits = wide.length === 4 && narrow.join() === [batch * heads, ...rest].join();
  return fits ? [batch, heads] : undefined;
}

const splitHeads = ({ emit, type }: FusionMatcher, id: ValueId, [batch, heads]: readonly [number, number]): ValueId =>
  emit("reshape", [id], { shape: [batch, heads, ...type(id).shape.slice(1)] });

// Exporters join batch and heads for a product of three axes, and split them where a mask is added.
const splitProduct: Fusion = {
  name: "split-product",
  law: "reshape(a · b, [B, H, M, N]) = reshape(a, [B, H, M, D]) · reshape(b, [B, H, D, N]) for a [B·H, M, D], b [B·H, D, N]",
  match: (op, matcher) => {
    const product = op.name === "reshape" ? matcher.producer(op.operands[0]!, "matmul") : undefined;
    if (product?.operands.some((id) => matcher.type(id).shape.length !== 3) ?? true) return undefined;
    const heads = batchAndHeads(matcher.type(op.result).shape, matcher.type(product!.result).shape);
    const alike = product!.operands.every((id) => matcher.type(id).shape[0] === matcher.type(product!.result).shape[0]);
    return heads && alike
      ? matcher.emit(
          "matmul",
          product!.operands.map((id) => splitHeads(matcher, id, heads)),
        )
      : undefined;
  },
};

const splitSoftmax: Fusion = {
  name: "split-softmax",
  law: "softmax(reshape(s, [B·H, M, N])) = reshape(softmax(s), [B·H, M, N]) for s [B, H, M, N], over the last axis",
  match: (op, { producer, type, emit }) => {
    const joined = op.name === "softmax" ? producer(op.operands[0]!, "reshape") : undefined;
    if (!joined || (op.attrs.axis !== 2 && op.attrs.axis !== -1)) return undefined;
    const [source] = joined.operands as [ValueId];
    const { shape } = type(op.result);
    return (
      batchAndHeads(type(source).shape, shape) && emit("reshape", [emit("softmax", [source], { axis: 3 })], { shape })
    );
  },
};

const mergedProduct: Fusion = {
  name: "joined-product",
  law: "reshape(w, [B·H, M, N]) · v = reshape(w · reshape(v, [B, H, N, D]), [B·H, M, D]) for w = softmax(…) [B, H, M, N]",
  match: (op, matcher) => {
    const { producer, type, emit } = matcher;
    const joined = op.name === "matmul" ? producer(op.operands[0]!, "reshape") : undefined;
    const weights = joined && producer(joined.operands[0]!, "softmax");
    if (!weights) return undefined;
    const [narrow, v] = op.operands as [ValueId, ValueId];
    const heads = batchAndHeads(type(weights.result).shape, type(narrow).shape);
    if (!heads || type(v).shape.length !== 3 || type(v).shape[0] !== type(narrow).shape[0]) return undefined;
    const product = emit("matmul", [weights.result, splitHeads(matcher, v, heads)]);
    return emit("reshape", [product], { shape: type(op.result).shape });
  },
};

// For a batch of one, some exporters split only one factor and rely on broadcasting for the other.
const equalizeRanks: Fusion = {
  name: "equal-ranks",
  law: "a · b = reshape(a, [1, H, M, D]) · b for a [H, M, D], b [B, H, D, N], and the same of b",
  match: (op, { type, emit }) => {
    const ranks = op.operands.map((id) => type(id).shape.length);
    if (op.name !== "matmul" || ranks[0] === ranks[1] || ranks.some((rank) => rank !== 3 && rank !== 4))
      return undefined;
    const lifted = (id: ValueId, index: number): ValueId =>
      ranks[index] === 3 ? emit("reshape", [id], { shape: [1, ...type(id).shape] }) : id;
    return emit("matmul", op.operands.map(lifted));
  },
};

/** Keeps batch and heads as two axes wherever attention is computed. */
export const headFusions: readonly Fusion[] = [splitProduct, splitSoftmax, mergedProduct, equalizeRanks];
