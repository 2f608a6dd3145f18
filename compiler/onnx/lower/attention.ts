import { f32 } from "../../../ir/type.ts";
import { scalar, tensor } from "../../../ir/weights.ts";
import { absentScore } from "../absent-score.ts";
import { inputOf, intAttr, type LowerContext, type LowerTable, refuse } from "./context.ts";
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

/** Booleans say which scores exist. */
function additive(context: LowerContext, mask: Operand): Operand {
  if (context.element(mask).kind !== "bool") return mask;
  const [zero, absent] = [0, absentScore].map((value) => context.constant(scalar(value), f32));
  return context.emit("where", [mask, zero!, absent!]);
}

/** ONNX's is_causal aligns the triangle to the top left; ours to the bottom right: the same for S = T or with a past. */
function triangle(context: LowerContext, rows: number, columns: number): Operand {
  const data = Float64Array.from({ length: rows * columns }, (_, at) =>
    at % columns <= Math.floor(at / columns) ? 0 : absentScore,
  );
  return context.constant(tensor([rows, columns], data), f32);
}

/** Attention of opset 23: Q, K, V, mask, past key and value. */
function attention(context: LowerContext): readonly Operand[] {
  const { emit, shape, inputs } = context;
  for (const name of ["softcap", "qk_matmul_output_mode"]) {
    if (intAttr(context, name, 0) !== 0) refuse(`expected ${name} 0, found ${intAttr(context, name, 0)}`);
  }
  if (context.node.outputs[3]) refuse("expected no output of the scores");
  if (inputs[6]) refuse("expected no lengths of the unpadded keys (nonpad_kv_seqlen): give them as a mask");
  const groups = intAttr(context, "kv_num_heads", 0);
  const original = inputOf(context, 0, "Q");
  const q = parted(context, original, intAttr(context, "q_num_heads", 0), "Q");
  const [newK, newV] = [1, 2].map((place) => parted(context, inputOf(context, place, "K and V"), groups, "K and V"));
  const [, , , given, pastK, pastV] = inputs;
  const [k, v] = [
    [pastK, newK!],
    [pastV, newV!],
  ].map(([past, fresh]) => (past ? emit("concat", [past, fresh!], { axis: 2 }) : fresh!));
  const [rows, depth] = [shape(q)[2]!, shape(q)[3]!];
  const columns = shape(k!)[2]!;
  let mask = given && additive(context, given);
  let causal = intAttr(context, "is_causal", 0) !== 0;
  if (causal && rows !== columns && !pastK) {
    const shown = triangle(context, rows, columns);
    mask = mask ? emit("add", [mask, shown]) : shown;
    causal = false;
  }
  const scale = intAttr(context, "scale", 1 / Math.sqrt(depth));
  const y = emit("attention", mask ? [q, k!, v!, mask] : [q, k!, v!], { scale, causal });
  return [shape(original).length === 3 ? joined(context, y) : y, k!, v!];
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
