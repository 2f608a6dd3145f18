import { f32, i64 } from "../../../ir/type.ts";
import { tensor } from "../../../ir/weights.ts";
import { absentScore } from "../absent-score.ts";
import {
  inputOf,
  intAttr,
  type LowerContext,
  type LowerTable,
  listOf,
  refuse,
  textAttr,
  wantsOutput,
} from "./context.ts";
import { after, attend, hiding, refuseScores, scaleOf } from "./fused-attention.ts";
import { columnsOf, parted, turned } from "./heads.ts";
import type { Operand } from "./operand.ts";

/** Places of one call: `rows` new ones behind `past` ones. */
interface Window {
  readonly batch: number;
  readonly rows: number;
  readonly past: number;
}

/**
 * Attention of com.microsoft with fewer heads of keys than of queries, rotary positions and a cache. seqlens_k says how
 * many places each sequence has, less one. Without a past the causal order alone hides padding, which stands behind; rows
 * of padding have no promised result. Behind a past that is not full, keys between its end and the new ones are hidden.
 */
function groupQueryAttention(context: LowerContext): readonly Operand[] {
  const { shape, inputs } = context;
  refuseScores(context, 3);
  if (textAttr(context, "k_quant_type", "NONE") !== "NONE" || textAttr(context, "v_quant_type", "NONE") !== "NONE") {
    refuse("a quantised cache: expected k_quant_type and v_quant_type NONE");
  }
  const [, , , pastK, pastV, , , , , , bias] = inputs;
  const [query, key, value] = separate(context);
  const window: Window = { batch: shape(query)[0]!, rows: shape(query)[2]!, past: pastK ? shape(pastK)[2]! : 0 };
  const isFull = lengthsAreFull(context, window);
  if (!isFull && window.past > 0 && (wantsOutput(context, 1) || wantsOutput(context, 2))) {
    refuse("a cache behind a past that may not be full: its places would depend on seqlens_k");
  }
  const [q, newK] = rotated(context, query, key, window, isFull);
  const [k, v] = [after(context, pastK, newK), after(context, pastV, value)];
  const softcap = intAttr(context, "softcap", 0);
  const sink = sinkOf(context, shape(q)[1]!);
  const added = [
    ...(isFull || window.past === 0 ? [] : filledPast(context, window)),
    ...near(context, window),
    ...(bias ? [bias] : []),
  ];
  const scale = scaleOf(context, shape(q)[3]!);
  return [attend(context, { q, k, v, added, causal: true, scale, softcap, ...(sink && { sink }) }), k, v];
}

/** Queries, keys and values [B, heads, S, D]: three inputs, or one beside each other. */
function separate(context: LowerContext): readonly [Operand, Operand, Operand] {
  const [heads, groups] = [intAttr(context, "num_heads", 0), intAttr(context, "kv_num_heads", 0)];
  if (!(groups > 0 && heads % groups === 0)) refuse(`${heads} heads of queries and ${groups} of keys`);
  const query = inputOf(context, 0, "query");
  const [, key, value] = context.inputs;
  if (key && value) {
    return [
      parted(context, query, heads, "query"),
      parted(context, key, groups, "key"),
      parted(context, value, groups, "value"),
    ];
  }
  const depth = context.shape(query).at(-1)! / (heads + 2 * groups);
  const ends = [0, heads, heads + groups, heads + 2 * groups].map((count) => count * depth) as [
    number,
    number,
    number,
    number,
  ];
  const part = (at: 0 | 1 | 2, count: number): Operand =>
    parted(context, columnsOf(context, query, ends[at], ends[at + 1]!), count, "query, key and value");
  return [part(0, heads), part(1, groups), part(2, groups)];
}

/** Whether it is known that every sequence fills the past and the new places. */
function lengthsAreFull({ inputs }: LowerContext, { rows, past }: Window): boolean {
  const lengths = inputs[5];
  if (lengths?.kind !== "constant") return !lengths;
  return lengths.tensor.data.every((length) => length === past + rows - 1);
}

/** Positions of the new places: as they are given, else each sequence counts on from its own past. */
function positionsOf(context: LowerContext, { batch, rows, past }: Window, isFull: boolean): Operand {
  const { emit, shape, inputs, constant } = context;
  if (inputs[9]) return inputs[9];
  const count = (from: number): Operand => constant(tensor([1, rows], [...listOf(rows, (i) => from + i)]), i64);
  const lengths = inputs[5];
  if (isFull || past === 0 || !lengths) return count(past);
  // The last new place is seqlens_k.
  const last = emit("reshape", [lengths], { shape: [shape(lengths)[0] ?? batch, 1] });
  return emit("add", [last, count(1 - rows)]);
}

function rotated(context: LowerContext, q: Operand, k: Operand, window: Window, isFull: boolean) {
  if (intAttr(context, "do_rotary", 0) === 0) return [q, k] as const;
  const positions = positionsOf(context, window, isFull);
  const [cos, sin] = [7, 8].map((place) =>
    context.emit("gather", [inputOf(context, place, "cos_cache and sin_cache"), positions], { axis: 0 }),
  ) as [Operand, Operand];
  const interleaved = intAttr(context, "rotary_interleaved", 0) !== 0;
  const turn = { cos, sin, rotated: 2 * context.shape(cos)[2]!, interleaved };
  return [turned(context, q, turn), turned(context, k, turn)] as const;
}

/** Key j < P of the past exists iff j < seqlens_k + 1 − S; new ones always do. */
function filledPast(context: LowerContext, { batch, rows, past }: Window): readonly Operand[] {
  const { emit, constant } = context;
  const lengths = emit("reshape", [inputOf(context, 5, "seqlens_k")], { shape: [batch, 1, 1, 1] });
  const least = listOf(past + rows, (j) => (j < past ? j + rows - 1 : -1));
  return hiding(
    context,
    emit("compare", [constant(tensor([1, 1, 1, past + rows], least), i64), lengths], { kind: "less" }),
  );
}

/** With local_window_size w a query sees its own place and the w − 1 before it. */
function near(context: LowerContext, { rows, past }: Window): readonly Operand[] {
  const size = intAttr(context, "local_window_size", -1);
  const columns = past + rows;
  if (size <= 0 || size >= columns) return [];
  const band = listOf(rows * columns, (at) =>
    (at % columns) + size > Math.floor(at / columns) + past ? 0 : absentScore,
  );
  return [context.constant(tensor([rows, columns], band), f32)];
}

/** head_sink, or with smooth_softmax a score of 0. */
function sinkOf({ inputs, ...context }: LowerContext, heads: number): Operand | undefined {
  if (inputs[11]) return inputs[11];
  if (intAttr({ inputs, ...context }, "smooth_softmax", 0) <= 0) return undefined;
  return context.constant(tensor([heads], new Float64Array(heads)), f32);
}

export const groupQueryLowerings: LowerTable = { "com.microsoft.GroupQueryAttention": groupQueryAttention };
