import {
  type GraphOperand,
  inputOf,
  intAttr,
  type LowerContext,
  type LowerTable,
  listAttr,
  refuseNode,
  wantsOutput,
} from "../../graph/index.ts";
import { sliceLastAxis, splitHeads } from "../nn/heads.ts";
import { sliceAxes } from "../tensor/layout.ts";
import {
  appendToPast,
  attentionScale,
  causalMaskFor,
  keyMask,
  lowerAttention,
  refuseScores,
  requireAttrs,
} from "./contrib-attention.ts";

/** One slice of an axis, which is removed. */
function sliceAt(context: LowerContext, x: GraphOperand, axis: number, at: number): GraphOperand {
  const part = sliceAxes(context, x, new Map([[axis, { start: at, end: at + 1, step: 1 }]]));
  return context.emit("reshape", [part], { shape: context.shape(x).filter((_, index) => index !== axis) });
}

/** One slice of packed [B, S, H, n, D]: [B, S, H·D]. */
function unpackHeads(context: LowerContext, x: GraphOperand, at: number): GraphOperand {
  const part = sliceAt(context, x, 3, at);
  const [batch, rows, heads, depth] = context.shape(part) as [number, number, number, number];
  return context.emit("reshape", [part], { shape: [batch, rows, heads * depth] });
}

/** Queries, keys and values [B, S, H·D], or keys and values [B, H, T, D]: separate, or packed in one or two tensors. */
function splitPackedInputs(context: LowerContext): readonly [GraphOperand, GraphOperand, GraphOperand] {
  const { shape, inputs } = context;
  const query = inputOf(context, 0, "query");
  const [, key, value] = inputs;
  if (shape(query).length === 5) {
    return [unpackHeads(context, query, 0), unpackHeads(context, query, 1), unpackHeads(context, query, 2)];
  }
  if (!key) return refuseNode("expected the input key, found none");
  if (shape(key).length === 5) return [query, unpackHeads(context, key, 0), unpackHeads(context, key, 1)];
  return [query, key, value ?? refuseNode("expected the input value, found none")];
}

/** Adds the bias, the concatenated widths of q, k and v. */
function withBias(context: LowerContext, parts: readonly [GraphOperand, GraphOperand, GraphOperand]): typeof parts {
  const bias = context.inputs[3];
  if (!bias) return parts;
  let end = 0;
  return parts.map((x) => {
    const shape = context.shape(x);
    if (shape.length !== 3) refuseNode("a bias of keys and values that are split into heads already");
    const start = end;
    end += shape[2]!;
    return context.emit("add", [x, sliceLastAxis(context, bias, start, end)]);
  }) as unknown as typeof parts;
}

/** MultiHeadAttention of com.microsoft; a query sees every key unless a mask or `unidirectional` says otherwise. */
function multiHeadAttention(context: LowerContext): readonly GraphOperand[] {
  const { shape, inputs } = context;
  refuseScores(context, 3);
  if (inputs[8] || inputs[9]) refuseNode("a cache that is updated in place (past_sequence_length): leave it out");
  const heads = intAttr(context, "num_heads", 0);
  const [, , , , padding, bias, pastK, pastV] = inputs;
  const [q, newK, newV] = withBias(context, splitPackedInputs(context)).map((x) =>
    splitHeads(context, x, heads, "Q, K and V"),
  ) as [GraphOperand, GraphOperand, GraphOperand];
  const [k, v] = [appendToPast(context, pastK, newK), appendToPast(context, pastV, newV)];
  const scoreShape = { rows: shape(q)[2]!, columns: shape(k)[2]!, past: pastK ? shape(pastK)[2]! : 0 };
  const { causal, added } = causalMaskFor(context, intAttr(context, "unidirectional", 0) !== 0, scoreShape);
  const masks = [...(padding ? keyMask(context, padding, scoreShape.columns) : []), ...added, ...(bias ? [bias] : [])];
  const scale = attentionScale(context, shape(q)[3]!);
  return [lowerAttention(context, { q, k, v, added: masks, causal, scale, softcap: 0 }), k, v];
}

/**
 * Attention of com.microsoft: q, k and v are one product of the input; past and present are one tensor [2, B, H, T, D].
 */
function attention(context: LowerContext): readonly GraphOperand[] {
  const { emit, shape, inputs } = context;
  requireAttrs(context, { do_rotary: 0, past_present_share_buffer: 0 });
  if (inputs[6]) refuseNode("a cache that is updated in place (past_sequence_length): leave it out");
  const heads = intAttr(context, "num_heads", 0);
  const [, , bias, mask, past, scores] = inputs;
  const product = emit("matmul", [inputOf(context, 0, "input"), inputOf(context, 1, "weights")]);
  const all = bias ? emit("add", [product, bias]) : product;
  const third = shape(all)[2]! / 3;
  const [wideQ, wideK, wideV] = listAttr(context, "qkv_hidden_sizes") ?? [third, third, third];
  const ends = [0, wideQ!, wideQ! + wideK!, wideQ! + wideK! + wideV!];
  const [q, newK, newV] = [0, 1, 2].map((at) =>
    splitHeads(context, sliceLastAxis(context, all, ends[at]!, ends[at + 1]!), heads, "q, k and v"),
  ) as [GraphOperand, GraphOperand, GraphOperand];
  const [pastK, pastV] = past ? [sliceAt(context, past, 0, 0), sliceAt(context, past, 0, 1)] : [];
  const [k, v] = [appendToPast(context, pastK, newK), appendToPast(context, pastV, newV)];
  const scoreShape = { rows: shape(q)[2]!, columns: shape(k)[2]!, past: pastK ? shape(pastK)[2]! : 0 };
  const { causal, added } = causalMaskFor(context, intAttr(context, "unidirectional", 0) !== 0, scoreShape);
  const batch = shape(q)[0]!;
  // [2·B] and [3·B + 2] are ends and starts for kernels that omit padding.
  if (mask && shape(mask).length === 1 && shape(mask)[0] !== batch)
    refuseNode("a mask of starts and ends: export one of shape [B, T]");
  const masks = [...(mask ? keyMask(context, mask, scoreShape.columns) : []), ...added, ...(scores ? [scores] : [])];
  const y = lowerAttention(context, {
    q,
    k,
    v,
    added: masks,
    causal,
    scale: attentionScale(context, shape(q)[3]!),
    softcap: 0,
  });
  if (!wantsOutput(context, 1)) return [y];
  const apart = [k, v].map((x) => emit("reshape", [x], { shape: [1, ...shape(x)] }));
  return [y, emit("concat", apart, { axis: 0 })];
}

export const multiHeadLowerings: LowerTable = {
  "com.microsoft.MultiHeadAttention": multiHeadAttention,
  "com.microsoft.Attention": attention,
};
