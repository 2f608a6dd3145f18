import type { Operand } from "../../graph/index.ts";
import {
  inputOf,
  intAttr,
  type LowerContext,
  type LowerTable,
  listAttr,
  refuse,
  wantsOutput,
} from "../../graph/index.ts";
import { columnsOf, parted } from "../nn/heads.ts";
import { sliceAxes } from "../tensor/shapes.ts";
import { after, attend, causality, expectAttrs, keptKeys, refuseScores, scaleOf } from "./fused-attention.ts";

/** One of the places of an axis, which goes. */
function layer(context: LowerContext, x: Operand, axis: number, at: number): Operand {
  const part = sliceAxes(context, x, new Map([[axis, { start: at, end: at + 1, step: 1 }]]));
  return context.emit("reshape", [part], { shape: context.shape(x).filter((_, place) => place !== axis) });
}

/** Of packed [B, S, H, n, D] the one at a place: [B, S, H·D]. */
function unpacked(context: LowerContext, x: Operand, at: number): Operand {
  const part = layer(context, x, 3, at);
  const [batch, rows, heads, depth] = context.shape(part) as [number, number, number, number];
  return context.emit("reshape", [part], { shape: [batch, rows, heads * depth] });
}

/** Queries, keys and values [B, S, H·D], or keys and values [B, H, T, D]: apart, or packed in one or two tensors. */
function separate(context: LowerContext): readonly [Operand, Operand, Operand] {
  const { shape, inputs } = context;
  const query = inputOf(context, 0, "query");
  const [, key, value] = inputs;
  if (shape(query).length === 5) {
    return [unpacked(context, query, 0), unpacked(context, query, 1), unpacked(context, query, 2)];
  }
  if (!key) return refuse("expected the input key, found none");
  if (shape(key).length === 5) return [query, unpacked(context, key, 0), unpacked(context, key, 1)];
  return [query, key, value ?? refuse("expected the input value, found none")];
}

/** bias [widths of q, k and v] beside each other. */
function withBias(context: LowerContext, parts: readonly [Operand, Operand, Operand]): typeof parts {
  const bias = context.inputs[3];
  if (!bias) return parts;
  let end = 0;
  return parts.map((x) => {
    const shape = context.shape(x);
    if (shape.length !== 3) refuse("a bias of keys and values that have their heads already");
    const start = end;
    end += shape[2]!;
    return context.emit("add", [x, columnsOf(context, bias, start, end)]);
  }) as unknown as typeof parts;
}

/** MultiHeadAttention of com.microsoft; a query sees every key unless a mask or `unidirectional` says otherwise. */
function multiHeadAttention(context: LowerContext): readonly Operand[] {
  const { shape, inputs } = context;
  refuseScores(context, 3);
  if (inputs[8] || inputs[9]) refuse("a cache that is filled in place (past_sequence_length): leave it out");
  const heads = intAttr(context, "num_heads", 0);
  const [, , , , padding, bias, pastK, pastV] = inputs;
  const [q, newK, newV] = withBias(context, separate(context)).map((x) => parted(context, x, heads, "Q, K and V")) as [
    Operand,
    Operand,
    Operand,
  ];
  const [k, v] = [after(context, pastK, newK), after(context, pastV, newV)];
  const places = { rows: shape(q)[2]!, columns: shape(k)[2]!, past: pastK ? shape(pastK)[2]! : 0 };
  const { causal, added } = causality(context, intAttr(context, "unidirectional", 0) !== 0, places);
  const masks = [...(padding ? keptKeys(context, padding, places.columns) : []), ...added, ...(bias ? [bias] : [])];
  const scale = scaleOf(context, shape(q)[3]!);
  return [attend(context, { q, k, v, added: masks, causal, scale, softcap: 0 }), k, v];
}

/** Attention of com.microsoft: q, k and v are one product of the input; past and present are one tensor [2, B, H, T, D]. */
function attention(context: LowerContext): readonly Operand[] {
  const { emit, shape, inputs } = context;
  expectAttrs(context, { do_rotary: 0, past_present_share_buffer: 0 });
  if (inputs[6]) refuse("a cache that is filled in place (past_sequence_length): leave it out");
  const heads = intAttr(context, "num_heads", 0);
  const [, , bias, mask, past, scores] = inputs;
  const product = emit("matmul", [inputOf(context, 0, "input"), inputOf(context, 1, "weights")]);
  const all = bias ? emit("add", [product, bias]) : product;
  const third = shape(all)[2]! / 3;
  const [wideQ, wideK, wideV] = listAttr(context, "qkv_hidden_sizes") ?? [third, third, third];
  const ends = [0, wideQ!, wideQ! + wideK!, wideQ! + wideK! + wideV!];
  const [q, newK, newV] = [0, 1, 2].map((at) =>
    parted(context, columnsOf(context, all, ends[at]!, ends[at + 1]!), heads, "q, k and v"),
  ) as [Operand, Operand, Operand];
  const [pastK, pastV] = past ? [layer(context, past, 0, 0), layer(context, past, 0, 1)] : [];
  const [k, v] = [after(context, pastK, newK), after(context, pastV, newV)];
  const places = { rows: shape(q)[2]!, columns: shape(k)[2]!, past: pastK ? shape(pastK)[2]! : 0 };
  const { causal, added } = causality(context, intAttr(context, "unidirectional", 0) !== 0, places);
  const batch = shape(q)[0]!;
  // [2·B] and [3·B + 2] are ends and starts for kernels that leave padding out.
  if (mask && shape(mask).length === 1 && shape(mask)[0] !== batch) refuse("a mask of starts and ends: give [B, T]");
  const masks = [...(mask ? keptKeys(context, mask, places.columns) : []), ...added, ...(scores ? [scores] : [])];
  const y = attend(context, { q, k, v, added: masks, causal, scale: scaleOf(context, shape(q)[3]!), softcap: 0 });
  if (!wantsOutput(context, 1)) return [y];
  const apart = [k, v].map((x) => emit("reshape", [x], { shape: [1, ...shape(x)] }));
  return [y, emit("concat", apart, { axis: 0 })];
}

export const multiHeadLowerings: LowerTable = {
  "com.microsoft.MultiHeadAttention": multiHeadAttention,
  "com.microsoft.Attention": attention,
};
