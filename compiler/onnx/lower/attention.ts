import { type Frame, maskOf, spelledOut } from "./attention-scores.ts";
import { inputOf, intAttr, type LowerContext, type LowerTable, number, refuse, wantsOutput } from "./context.ts";
import type { Operand } from "./operand.ts";
import { sliceAxes } from "./shapes.ts";

/** [B, S, H·D] to [B, H, S, D]; what has four axes already has them so. */
function parted(context: LowerContext, x: Operand, heads: number, name: string): Operand {
  const shape = context.shape(x);
  if (shape.length === 4) return x;
  if (shape.length !== 3 || heads === 0) refuse(`expected ${name} with 4 axes, or 3 and a number of heads`);
  const [batch, rows, width] = shape as [number, number, number];
  const split = context.emit("reshape", [x], { shape: [batch, rows, heads, width / heads] });
  return context.emit("transpose", [split], { perm: [0, 2, 1, 3] });
}

function joined(context: LowerContext, x: Operand): Operand {
  const rows = context.emit("transpose", [x], { perm: [0, 2, 1, 3] });
  const [batch, length, heads, depth] = context.shape(rows) as [number, number, number, number];
  return context.emit("reshape", [rows], { shape: [batch, length, heads * depth] });
}

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
  ].map(([past, fresh]) => (past ? emit("concat", [past, fresh!], { axis: 2 }) : fresh!)) as [Operand, Operand];
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
  const depth = shape(x)[3]!;
  const rotated = intAttr(context, "rotary_embedding_dim", 0) || depth;
  const interleaved = intAttr(context, "interleaved", 0) !== 0;
  const positions = context.inputs[3];
  const [cos, sin] = [1, 2].map((place) => {
    const cache = inputOf(context, place, "cos and sin caches");
    const rows = positions ? emit("gather", [cache, positions], { axis: 0 }) : cache;
    const [batch, length, half] = shape(rows) as [number, number, number];
    return emit("reshape", [emit("concat", [rows, rows], { axis: 2 })], { shape: [batch, 1, length, 2 * half] });
  });
  const part = (start: number, end: number): Operand => sliceAxes(context, x, new Map([[3, { start, end, step: 1 }]]));
  const own = interleaved ? paired(context, part(0, rotated), [4, 3]) : part(0, rotated);
  const turned = emit("rope", [own, cos!, sin!]);
  const back = interleaved ? paired(context, turned, [3, 4]) : turned;
  const whole = rotated === depth ? back : emit("concat", [back, part(rotated, depth)], { axis: 3 });
  return shape(original).length === 3 ? joined(context, whole) : whole;
}

/** Between pairs (x0, y0, x1, y1, …) and halves (x0, x1, …, y0, y1, …). */
function paired({ emit, shape }: LowerContext, x: Operand, order: readonly [number, number]): Operand {
  const whole = shape(x);
  const half = whole[3]! / 2;
  const inner = order[0] === 4 ? [half, 2] : [2, half];
  const split = emit("reshape", [x], { shape: [...whole.slice(0, 3), ...inner] });
  return emit("reshape", [emit("transpose", [split], { perm: [0, 1, 2, 4, 3] })], { shape: whole });
}

export const attentionLowerings: LowerTable = { Attention: attention, RotaryEmbedding: rotary };
