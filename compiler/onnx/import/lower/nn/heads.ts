import { type GraphOperand, type LowerContext, refuseNode } from "../../graph/index.ts";
import { sliceAxes } from "../tensor/layout.ts";

/** [B, S, H·D] to [B, H, S, D]; a tensor of four axes already has this layout. */
export function splitHeads(context: LowerContext, x: GraphOperand, heads: number, name: string): GraphOperand {
  const shape = context.shape(x);
  if (shape.length === 4) return x;
  if (shape.length !== 3 || heads === 0) refuseNode(`expected ${name} with 4 axes, or with 3 axes and a head count`);
  const [batch, rows, width] = shape as [number, number, number];
  if (width % heads !== 0) refuseNode(`expected ${name} in ${heads} heads, found a width of ${width}`);
  const split = context.emit("reshape", [x], { shape: [batch, rows, heads, width / heads] });
  return context.emit("transpose", [split], { perm: [0, 2, 1, 3] });
}

/** [B, H, S, D] to [B, S, H·D] */
export function mergeHeads(context: LowerContext, x: GraphOperand): GraphOperand {
  const rows = context.emit("transpose", [x], { perm: [0, 2, 1, 3] });
  const [batch, length, heads, depth] = context.shape(rows) as [number, number, number, number];
  return context.emit("reshape", [rows], { shape: [batch, length, heads * depth] });
}

/** Elements from `start` to `end` along the last axis. */
export function sliceLastAxis(context: LowerContext, x: GraphOperand, start: number, end: number): GraphOperand {
  return sliceAxes(context, x, new Map([[context.shape(x).length - 1, { start, end, step: 1 }]]));
}

interface RotaryInputs {
  /** [B or 1, S, half]: cosines and sines of each position's angles. */
  readonly cos: GraphOperand;
  readonly sin: GraphOperand;
  /** How many elements of the last axis are rotated: 2 · half. */
  readonly rotated: number;
  /** Whether pairs are adjacent; else the first half is paired with the second. */
  readonly interleaved: boolean;
}

/** Applies rotary position embeddings to x [B, H, S, D]. */
export function applyRotary(
  context: LowerContext,
  x: GraphOperand,
  { cos, sin, rotated, interleaved }: RotaryInputs,
): GraphOperand {
  const { emit, shape } = context;
  const depth = shape(x)[3]!;
  const [wideCos, wideSin] = [cos, sin].map((rows) => {
    const [batch, length, half] = shape(rows) as [number, number, number];
    return emit("reshape", [emit("concat", [rows, rows], { axis: 2 })], { shape: [batch, 1, length, 2 * half] });
  }) as [GraphOperand, GraphOperand];
  const own = sliceLastAxis(context, x, 0, rotated);
  const moved = emit("rope", [interleaved ? interleave(context, own, [4, 3]) : own, wideCos, wideSin]);
  const back = interleaved ? interleave(context, moved, [3, 4]) : moved;
  return rotated === depth ? back : emit("concat", [back, sliceLastAxis(context, x, rotated, depth)], { axis: 3 });
}

/** Converts between pairs (x0, y0, x1, y1, …) and halves (x0, x1, …, y0, y1, …). */
function interleave({ emit, shape }: LowerContext, x: GraphOperand, order: readonly [number, number]): GraphOperand {
  const whole = shape(x);
  const half = whole[3]! / 2;
  const inner = order[0] === 4 ? [half, 2] : [2, half];
  const split = emit("reshape", [x], { shape: [...whole.slice(0, 3), ...inner] });
  return emit("reshape", [emit("transpose", [split], { perm: [0, 1, 2, 4, 3] })], { shape: whole });
}
