import { f32, i64 } from "../../../../../ir/type.ts";
import { tensor } from "../../../../../ir/weights.ts";
import { absentScore } from "../../../weights/index.ts";
import type { Operand } from "../../graph/index.ts";
import {
  inputOf,
  intAttr,
  type LowerContext,
  type LowerTable,
  listOf,
  refuse,
  textAttr,
  wantsOutput,
} from "../../graph/index.ts";
import { columnsOf, parted, turned } from "../nn/heads.ts";
import { after, attend, expectAttrs, hiding, refuseScores, scaleOf } from "./fused-attention.ts";

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
  expectAttrs(context, { causal: 1 });
  if (textAttr(context, "k_quant_type", "NONE") !== "NONE" || textAttr(context, "v_quant_type", "NONE") !== "NONE") {
    refuse("a quantised cache: expected k_quant_type and v_quant_type NONE");
  }
  const [query, key, value] = separate(context);
  const [pastK, pastV] = pastOf(context, shape(query)[2]!);
  const window: Window = { batch: shape(query)[0]!, rows: shape(query)[2]!, past: pastK ? shape(pastK)[2]! : 0 };
  const isFull = lengthsAreFull(context, window);
  if (wantsOutput(context, 1) || wantsOutput(context, 2)) refuseMovingCache(context, window, isFull);
  checkEviction(context, window);
  const [q, newK] = rotated(context, ...normalised(context, query, key), window, isFull);
  const [k, v] = [after(context, pastK, newK), after(context, pastV, value)];
  const softcap = intAttr(context, "softcap", 0);
  const sink = sinkOf(context, shape(q)[1]!);
  const bias = inputs[10];
  const added = [
    ...(isFull || window.past === 0 ? near(context, window) : filledPast(context, window)),
    ...(bias ? [bias] : []),
  ];
  const scale = scaleOf(context, shape(q)[3]!);
  return [attend(context, { q, k, v, added, causal: true, scale, softcap, ...(sink && { sink }) }), k, v];
}

/** Nothing of a past is filled where no sequence is longer than its new places. */
function pastOf(context: LowerContext, rows: number): readonly (Operand | undefined)[] {
  const { shape, inputs } = context;
  const [, , , pastK, pastV, , total] = inputs;
  const isFirst = total?.kind === "constant" && total.tensor.data.every((length) => length <= rows);
  return [pastK, pastV].map((past) => (past && !isFirst && shape(past)[2]! > 0 ? past : undefined));
}

/** Keys and values of new places stand behind the filled ones, and old ones leave a cache that is as wide as the window. */
function refuseMovingCache(context: LowerContext, { past }: Window, isFull: boolean): void {
  const { shape, inputs } = context;
  const given = inputs[3] ? shape(inputs[3])[2]! : 0;
  if (intAttr(context, "sliding_window_cache", 0) !== 0) {
    refuse("a cache as wide as the window: which places it keeps depends on seqlens_k; reveal the logits alone");
  }
  if (past > 0 ? !isFull : given > 0) {
    refuse("a cache behind a past that may not be full: its places would depend on seqlens_k; reveal the logits alone");
  }
}

/**
 * Of more places than a cache as wide as the window holds, the last L are kept: min(T, C) of T where its capacity C is the
 * window's. With more room L follows another law once places are evicted.
 */
function checkEviction(context: LowerContext, { rows, past }: Window): void {
  const size = intAttr(context, "local_window_size", -1);
  if (past === 0 || intAttr(context, "sliding_window_cache", 0) === 0 || size === past) return;
  const total = context.inputs[6];
  const isWhole = total?.kind === "constant" && total.tensor.data.every((length) => length - rows <= past);
  if (!isWhole) refuse(`a cache of ${past} places for a window of ${size}: expected as many, or a text that it holds`);
}

/** Queries and keys with root mean square 1 in each head, times q_norm_weight and k_norm_weight [D]. */
function normalised(context: LowerContext, q: Operand, k: Operand): readonly [Operand, Operand] {
  const { emit, inputs } = context;
  const epsilon = intAttr(context, "qk_norm_epsilon", 1e-6);
  const norm = (x: Operand, gain: Operand | undefined): Operand =>
    gain ? emit("mul", [emit("rms-norm", [x], { epsilon }), gain]) : x;
  return [norm(q, inputs[14]), norm(k, inputs[15])];
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

/** More than any length. */
const always = 2 ** 30;

/**
 * What new places see of a past that holds L = min(seqlens_k + 1 − S, P): key j < P of it iff j < L, and with
 * local_window_size w iff L + i − j < w for query i; of new keys those that are near.
 */
function filledPast(context: LowerContext, { batch, rows, past }: Window): readonly Operand[] {
  const { emit, constant } = context;
  const columns = past + rows;
  const size = intAttr(context, "local_window_size", -1);
  const last = emit("reshape", [inputOf(context, 5, "seqlens_k")], { shape: [batch, 1, 1, 1] });
  const least = listOf(columns, (j) => (j < past ? j + rows - 1 : -1));
  const holds = emit("compare", [constant(tensor([1, 1, 1, columns], least), i64), last], { kind: "less" });
  if (size <= 0 || size >= columns) return hiding(context, holds);
  const bound = (i: number, j: number): number => {
    if (j >= past) return i - (j - past) < size ? always : -1;
    const most = size - i + j;
    return most > past ? always : most + rows - 1;
  };
  const bounds = listOf(rows * columns, (at) => bound(Math.floor(at / columns), at % columns));
  const within = emit("compare", [last, constant(tensor([1, 1, rows, columns], bounds), i64)], { kind: "less" });
  return hiding(context, emit("logic", [holds, within], { kind: "and" }));
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
