import {
  constantScalar,
  type GraphOperand,
  inputOf,
  intAttr,
  type LowerContext,
  type LowerTable,
  wantsOutput,
} from "../../graph/index.ts";
import { appendToPast } from "../microsoft/contrib-attention.ts";
import { sliceAxes } from "../tensor/layout.ts";
import { attentionMask, expandAttention, type ScoreShape } from "./attention-scores.ts";
import { applyRotary, mergeHeads, splitHeads } from "./heads.ts";

/** Keys that some query may see: with causality alone, keys beyond the last query are not among them. */
function visibleKeys(context: LowerContext, { rows, columns }: ScoreShape): number {
  const [, , , mask, past, , lengths] = context.inputs;
  if (intAttr(context, "is_causal", 0) === 0 || mask || lengths) return columns;
  return Math.min(columns, rows + (past ? context.shape(past)[2]! : 0));
}

/** Attention of opset 23: Q, K, V, mask, past key and value, lengths of the unpadded keys. */
function attention(context: LowerContext): readonly GraphOperand[] {
  const { emit, shape, inputs } = context;
  const groups = intAttr(context, "kv_num_heads", 0);
  const original = inputOf(context, 0, "Q");
  const q = splitHeads(context, original, intAttr(context, "q_num_heads", 0), "Q");
  const [newK, newV] = [1, 2].map((index) =>
    splitHeads(context, inputOf(context, index, "K and V"), groups, "K and V"),
  );
  const [, , , , pastK, pastV] = inputs;
  const [k, v] = [
    [pastK, newK!],
    [pastV, newV!],
  ].map(([past, fresh]) => appendToPast(context, past, fresh!)) as [GraphOperand, GraphOperand];
  const frame = { rows: shape(q)[2]!, columns: shape(k)[2]! };
  const scale = intAttr(context, "scale", 1 / Math.sqrt(shape(q)[3]!));
  const softcap = intAttr(context, "softcap", 0);
  const spelled = softcap !== 0 || wantsOutput(context, 3);
  const columns = spelled ? frame.columns : visibleKeys(context, frame);
  const { mask, causal, nonEmptyRows } = attentionMask(context, { ...frame, columns });
  const first = (x: GraphOperand): GraphOperand =>
    sliceAxes(context, x, new Map([[2, { start: 0, end: columns, step: 1 }]]));
  const [y, scores] = spelled
    ? expandAttention(context, { q, k, v, mask, causal, scale, softcap })
    : [emit("attention", [q, first(k), first(v), ...(mask ? [mask] : [])], { scale, causal })];
  const whole = nonEmptyRows ? emit("where", [nonEmptyRows, y!, constantScalar(context, 0)]) : y!;
  return [shape(original).length === 3 ? mergeHeads(context, whole) : whole, k, v, ...(scores ? [scores] : [])];
}

/** RotaryEmbedding of opset 23: tables of half the rotated width, per position. */
function rotary(context: LowerContext): GraphOperand {
  const { emit, shape } = context;
  const original = inputOf(context, 0, "X");
  const x = splitHeads(context, original, intAttr(context, "num_heads", 0), "X");
  const rotated = intAttr(context, "rotary_embedding_dim", 0) || shape(x)[3]!;
  const positions = context.inputs[3];
  const [cos, sin] = [1, 2].map((index) => {
    const cache = inputOf(context, index, "cos and sin caches");
    return positions ? emit("gather", [cache, positions], { axis: 0 }) : cache;
  }) as [GraphOperand, GraphOperand];
  const interleaved = intAttr(context, "interleaved", 0) !== 0;
  const whole = applyRotary(context, x, { cos, sin, rotated, interleaved });
  return shape(original).length === 3 ? mergeHeads(context, whole) : whole;
}

export const attentionLowerings: LowerTable = { Attention: attention, RotaryEmbedding: rotary };
