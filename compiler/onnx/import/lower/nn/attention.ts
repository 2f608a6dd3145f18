import type { Operand } from "../../graph/index.ts";
import { inputOf, intAttr, type LowerContext, type LowerTable, number, wantsOutput } from "../../graph/index.ts";
import { after } from "../microsoft/fused-attention.ts";
import { sliceAxes } from "../tensor/shapes.ts";
import { type Frame, maskOf, spelledOut } from "./attention-scores.ts";
import { joined, parted, turned } from "./heads.ts";

/** Keys that some query may see: with causality alone, those beyond the last query are none of them. */
function visible(context: LowerContext, { rows, columns }: Frame): number {
  const [, , , mask, past, , lengths] = context.inputs;
  if (intAttr(context, "is_causal", 0) === 0 || mask || lengths) return columns;
  return Math.min(columns, rows + (past ? context.shape(past)[2]! : 0));
}

/** Attention of opset 23: Q, K, V, mask, past key and value, lengths of the unpadded keys. */
function attention(context: LowerContext): readonly Operand[] {
  const { emit, shape, inputs } = context;
  const groups = intAttr(context, "kv_num_heads", 0);
  const original = inputOf(context, 0, "Q");
  const q = parted(context, original, intAttr(context, "q_num_heads", 0), "Q");
  const [newK, newV] = [1, 2].map((place) => parted(context, inputOf(context, place, "K and V"), groups, "K and V"));
  const [, , , , pastK, pastV] = inputs;
  const [k, v] = [
    [pastK, newK!],
    [pastV, newV!],
  ].map(([past, fresh]) => after(context, past, fresh!)) as [Operand, Operand];
  const frame = { rows: shape(q)[2]!, columns: shape(k)[2]! };
  const scale = intAttr(context, "scale", 1 / Math.sqrt(shape(q)[3]!));
  const softcap = intAttr(context, "softcap", 0);
  const spelled = softcap !== 0 || wantsOutput(context, 3);
  const columns = spelled ? frame.columns : visible(context, frame);
  const { mask, causal, filled } = maskOf(context, { ...frame, columns });
  const first = (x: Operand): Operand => sliceAxes(context, x, new Map([[2, { start: 0, end: columns, step: 1 }]]));
  const [y, scores] = spelled
    ? spelledOut(context, { q, k, v, mask, causal, scale, softcap })
    : [emit("attention", [q, first(k), first(v), ...(mask ? [mask] : [])], { scale, causal })];
  const whole = filled ? emit("where", [filled, y!, number(context, 0)]) : y!;
  return [shape(original).length === 3 ? joined(context, whole) : whole, k, v, ...(scores ? [scores] : [])];
}

/** RotaryEmbedding of opset 23: tables of half the rotated width, per position. */
function rotary(context: LowerContext): Operand {
  const { emit, shape } = context;
  const original = inputOf(context, 0, "X");
  const x = parted(context, original, intAttr(context, "num_heads", 0), "X");
  const rotated = intAttr(context, "rotary_embedding_dim", 0) || shape(x)[3]!;
  const positions = context.inputs[3];
  const [cos, sin] = [1, 2].map((place) => {
    const cache = inputOf(context, place, "cos and sin caches");
    return positions ? emit("gather", [cache, positions], { axis: 0 }) : cache;
  }) as [Operand, Operand];
  const interleaved = intAttr(context, "interleaved", 0) !== 0;
  const whole = turned(context, x, { cos, sin, rotated, interleaved });
  return shape(original).length === 3 ? joined(context, whole) : whole;
}

export const attentionLowerings: LowerTable = { Attention: attention, RotaryEmbedding: rotary };
