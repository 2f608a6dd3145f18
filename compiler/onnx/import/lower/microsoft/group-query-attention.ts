import { tensor } from "../../../../../ir/tensor.ts";
import { f32, i64 } from "../../../../../ir/type.ts";
import { maskedScore } from "../../../weights/index.ts";
import type { GraphOperand } from "../../graph/index.ts";
import {
  boundedList,
  inputOf,
  intAttr,
  type LowerContext,
  type LowerTable,
  refuseNode,
  stringAttr,
  wantsOutput,
} from "../../graph/index.ts";
import { applyRotary, sliceLastAxis, splitHeads } from "../nn/heads.ts";
import {
  appendToPast,
  attentionScale,
  lowerAttention,
  maskFromCondition,
  refuseScores,
  requireAttrs,
} from "./contrib-attention.ts";

/** Places of one call: `rows` new ones behind `past` ones. */
interface QuerySpan {
  readonly batch: number;
  readonly rows: number;
  readonly past: number;
}

/**
 * Attention of com.microsoft with fewer heads of keys than of queries, rotary positions and a cache. seqlens_k says how
 * many places each sequence has, less one. Without a past the causal order alone hides padding, which stands behind; rows
 * of padding have no promised result. Behind a past that is not full, keys between its end and the new ones are hidden.
 */
function groupQueryAttention(context: LowerContext): readonly GraphOperand[] {
  const { shape, inputs } = context;
  refuseScores(context, 3);
  requireAttrs(context, { causal: 1 });
  if (
    stringAttr(context, "k_quant_type", "NONE") !== "NONE" ||
    stringAttr(context, "v_quant_type", "NONE") !== "NONE"
  ) {
    refuseNode("a quantised cache: expected k_quant_type and v_quant_type NONE");
  }
  const [query, key, value] = splitPackedInputs(context);
  const [pastK, pastV] = pastOf(context, shape(query)[2]!);
  const span: QuerySpan = { batch: shape(query)[0]!, rows: shape(query)[2]!, past: pastK ? shape(pastK)[2]! : 0 };
  const isFull = lengthsAreFull(context, span);
  if (wantsOutput(context, 1) || wantsOutput(context, 2)) refuseMovingCache(context, span, isFull);
  checkEviction(context, span);
  const [q, newK] = rotateHeads(context, ...normalizedHeads(context, query, key), span, isFull);
  const [k, v] = [appendToPast(context, pastK, newK), appendToPast(context, pastV, value)];
  const softcap = intAttr(context, "softcap", 0);
  const sink = attentionSink(context, shape(q)[1]!);
  const bias = inputs[10];
  const added = [
    ...(isFull || span.past === 0 ? slidingWindowMask(context, span) : pastMask(context, span)),
    ...(bias ? [bias] : []),
  ];
  const scale = attentionScale(context, shape(q)[3]!);
  return [lowerAttention(context, { q, k, v, added, causal: true, scale, softcap, ...(sink && { sink }) }), k, v];
}

/** Nothing of a past is filled where no sequence is longer than its new places. */
function pastOf(context: LowerContext, rows: number): readonly (GraphOperand | undefined)[] {
  const { shape, inputs } = context;
  const [, , , pastK, pastV, , total] = inputs;
  const isFirst = total?.kind === "constant" && total.tensor.data.every((length) => length <= rows);
  return [pastK, pastV].map((past) => (past && !isFirst && shape(past)[2]! > 0 ? past : undefined));
}

/** Keys and values of new places stand behind the filled ones, and old ones leave a cache that is as wide as the window. */
function refuseMovingCache(context: LowerContext, { past }: QuerySpan, isFull: boolean): void {
  const { shape, inputs } = context;
  const given = inputs[3] ? shape(inputs[3])[2]! : 0;
  if (intAttr(context, "sliding_window_cache", 0) !== 0) {
    refuseNode("a cache as wide as the window: which places it keeps depends on seqlens_k; reveal the logits alone");
  }
  if (past > 0 ? !isFull : given > 0) {
    refuseNode(
      "a cache behind a past that may not be full: its places would depend on seqlens_k; reveal the logits alone",
    );
  }
}

/**
 * Of more places than a cache as wide as the window holds, the last L are kept: min(T, C) of T where its capacity C is the
 * window's. With more room L follows another law once places are evicted.
 */
function checkEviction(context: LowerContext, { rows, past }: QuerySpan): void {
  const size = intAttr(context, "local_window_size", -1);
  if (past === 0 || intAttr(context, "sliding_window_cache", 0) === 0 || size === past) return;
  const total = context.inputs[6];
  const isWhole = total?.kind === "constant" && total.tensor.data.every((length) => length - rows <= past);
  if (!isWhole)
    refuseNode(`a cache of ${past} places for a window of ${size}: expected as many, or a text that it holds`);
}

/** Queries and keys with root mean square 1 in each head, times q_norm_weight and k_norm_weight [D]. */
function normalizedHeads(
  context: LowerContext,
  q: GraphOperand,
  k: GraphOperand,
): readonly [GraphOperand, GraphOperand] {
  const { emit, inputs } = context;
  const epsilon = intAttr(context, "qk_norm_epsilon", 1e-6);
  const norm = (x: GraphOperand, gain: GraphOperand | undefined): GraphOperand =>
    gain ? emit("mul", [emit("rms-norm", [x], { epsilon }), gain]) : x;
  return [norm(q, inputs[14]), norm(k, inputs[15])];
}

/** Queries, keys and values [B, heads, S, D]: three inputs, or one beside each other. */
function splitPackedInputs(context: LowerContext): readonly [GraphOperand, GraphOperand, GraphOperand] {
  const [heads, groups] = [intAttr(context, "num_heads", 0), intAttr(context, "kv_num_heads", 0)];
  if (!(groups > 0 && heads % groups === 0)) refuseNode(`${heads} heads of queries and ${groups} of keys`);
  const query = inputOf(context, 0, "query");
  const [, key, value] = context.inputs;
  if (key && value) {
    return [
      splitHeads(context, query, heads, "query"),
      splitHeads(context, key, groups, "key"),
      splitHeads(context, value, groups, "value"),
    ];
  }
  const depth = context.shape(query).at(-1)! / (heads + 2 * groups);
  const ends = [0, heads, heads + groups, heads + 2 * groups].map((count) => count * depth) as [
    number,
    number,
    number,
    number,
  ];
  const part = (at: 0 | 1 | 2, count: number): GraphOperand =>
    splitHeads(context, sliceLastAxis(context, query, ends[at], ends[at + 1]!), count, "query, key and value");
  return [part(0, heads), part(1, groups), part(2, groups)];
}

/** Whether it is known that every sequence fills the past and the new places. */
function lengthsAreFull({ inputs }: LowerContext, { rows, past }: QuerySpan): boolean {
  const lengths = inputs[5];
  if (lengths?.kind !== "constant") return !lengths;
  return lengths.tensor.data.every((length) => length === past + rows - 1);
}

/** Positions of the new places: as they are given, else each sequence counts on from its own past. */
function positionsOf(context: LowerContext, { batch, rows, past }: QuerySpan, isFull: boolean): GraphOperand {
  const { emit, shape, inputs, constant } = context;
  if (inputs[9]) return inputs[9];
  const count = (from: number): GraphOperand =>
    constant(tensor([1, rows], [...boundedList(rows, (i) => from + i)]), i64);
  const lengths = inputs[5];
  if (isFull || past === 0 || !lengths) return count(past);
  // The last new place is seqlens_k.
  const last = emit("reshape", [lengths], { shape: [shape(lengths)[0] ?? batch, 1] });
  return emit("add", [last, count(1 - rows)]);
}

function rotateHeads(context: LowerContext, q: GraphOperand, k: GraphOperand, span: QuerySpan, isFull: boolean) {
  if (intAttr(context, "do_rotary", 0) === 0) return [q, k] as const;
  const positions = positionsOf(context, span, isFull);
  const [cos, sin] = [7, 8].map((index) =>
    context.emit("gather", [inputOf(context, index, "cos_cache and sin_cache"), positions], { axis: 0 }),
  ) as [GraphOperand, GraphOperand];
  const interleaved = intAttr(context, "rotary_interleaved", 0) !== 0;
  const turn = { cos, sin, rotated: 2 * context.shape(cos)[2]!, interleaved };
  return [applyRotary(context, q, turn), applyRotary(context, k, turn)] as const;
}

/** More than any length. */
const unlimited = 2 ** 30;

/**
 * What new places see of a past that holds L = min(seqlens_k + 1 − S, P): key j < P of it iff j < L, and with
 * local_window_size w iff L + i − j < w for query i; of new keys those that are near.
 */
function pastMask(context: LowerContext, { batch, rows, past }: QuerySpan): readonly GraphOperand[] {
  const { emit, constant } = context;
  const columns = past + rows;
  const size = intAttr(context, "local_window_size", -1);
  const last = emit("reshape", [inputOf(context, 5, "seqlens_k")], { shape: [batch, 1, 1, 1] });
  const least = boundedList(columns, (j) => (j < past ? j + rows - 1 : -1));
  const holds = emit("compare", [constant(tensor([1, 1, 1, columns], least), i64), last], { kind: "less" });
  if (size <= 0 || size >= columns) return maskFromCondition(context, holds);
  const bound = (i: number, j: number): number => {
    if (j >= past) return i - (j - past) < size ? unlimited : -1;
    const most = size - i + j;
    return most > past ? unlimited : most + rows - 1;
  };
  const bounds = boundedList(rows * columns, (at) => bound(Math.floor(at / columns), at % columns));
  const within = emit("compare", [last, constant(tensor([1, 1, rows, columns], bounds), i64)], { kind: "less" });
  return maskFromCondition(context, emit("logic", [holds, within], { kind: "and" }));
}

/** With local_window_size w a query sees its own place and the w − 1 before it. */
function slidingWindowMask(context: LowerContext, { rows, past }: QuerySpan): readonly GraphOperand[] {
  const size = intAttr(context, "local_window_size", -1);
  const columns = past + rows;
  if (size <= 0 || size >= columns) return [];
  const band = boundedList(rows * columns, (at) =>
    (at % columns) + size > Math.floor(at / columns) + past ? 0 : maskedScore,
  );
  return [context.constant(tensor([rows, columns], band), f32)];
}

/** head_sink, or with smooth_softmax a score of 0. */
function attentionSink({ inputs, ...context }: LowerContext, heads: number): GraphOperand | undefined {
  if (inputs[11]) return inputs[11];
  if (intAttr({ inputs, ...context }, "smooth_softmax", 0) <= 0) return undefined;
  return context.constant(tensor([heads], new Float64Array(heads)), f32);
}

export const groupQueryLowerings: LowerTable = { "com.microsoft.GroupQueryAttention": groupQueryAttention };
