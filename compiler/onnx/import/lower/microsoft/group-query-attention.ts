import { tensor } from "../../../../../ir/tensor.ts";
import { f32, i64 } from "../../../../../ir/type.ts";
import { maskedScore } from "../../../weights/index.ts";
import {
  boundedList,
  type GraphOperand,
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

/** Positions of one call: `rows` new ones after `past` ones. */
interface QuerySpan {
  readonly batch: number;
  readonly rows: number;
  readonly past: number;
}

/**
 * Attention of com.microsoft with fewer key heads than query heads, rotary positions and a cache. seqlens_k is each
 * sequence's length minus 1. Without a past, causality alone masks padding, which comes last; rows of padding have no
 * promised result. After a past that is not full, keys between its end and the new ones are masked.
 */
function groupQueryAttention(context: LowerContext): readonly GraphOperand[] {
  const { shape, inputs } = context;
  refuseScores(context, 3);
  requireAttrs(context, { causal: 1 });
  if (
    stringAttr(context, "k_quant_type", "NONE") !== "NONE" ||
    stringAttr(context, "v_quant_type", "NONE") !== "NONE"
  ) {
    refuseNode("a quantized cache: expected k_quant_type and v_quant_type NONE");
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

/** A past is empty where no sequence is longer than its new positions. */
function pastOf(context: LowerContext, rows: number): readonly (GraphOperand | undefined)[] {
  const { shape, inputs } = context;
  const [, , , pastK, pastV, , total] = inputs;
  const isFirst = total?.kind === "constant" && total.tensor.data.every((length) => length <= rows);
  return [pastK, pastV].map((past) => (past && !isFirst && shape(past)[2]! > 0 ? past : undefined));
}

/** New keys and values follow the filled ones, and old ones leave a cache of the window's size. */
function refuseMovingCache(context: LowerContext, { past }: QuerySpan, isFull: boolean): void {
  const { shape, inputs } = context;
  const given = inputs[3] ? shape(inputs[3])[2]! : 0;
  if (intAttr(context, "sliding_window_cache", 0) !== 0) {
    refuseNode("a cache of the window's size: which positions it keeps depends on seqlens_k; reveal the logits alone");
  }
  if (past > 0 ? !isFull : given > 0) {
    refuseNode(
      "a cache behind a past that may not be full: its positions would depend on seqlens_k; reveal the logits alone",
    );
  }
}

/**
 * When more positions arrive than a cache of the window's size holds, the last L are kept: min(T, C) of T where its
 * capacity C is the window's. With a larger capacity, L follows another rule after eviction.
 */
function checkEviction(context: LowerContext, { rows, past }: QuerySpan): void {
  const size = intAttr(context, "local_window_size", -1);
  if (past === 0 || intAttr(context, "sliding_window_cache", 0) === 0 || size === past) return;
  const total = context.inputs[6];
  const fitsCache = total?.kind === "constant" && total.tensor.data.every((length) => length - rows <= past);
  if (!fitsCache)
    refuseNode(
      `a cache of ${past} positions for a window of ${size}: expected equal sizes, or a text that fits the cache`,
    );
}

/** Queries and keys with root mean square 1 in each head, times q_norm_weight and k_norm_weight [D]. */
function normalizedHeads(
  context: LowerContext,
  q: GraphOperand,
  k: GraphOperand,
): readonly [GraphOperand, GraphOperand] {
  const { emit, inputs } = context;
  const epsilon = intAttr(context, "qk_norm_epsilon", 1e-6);
  const norm = (x: GraphOperand, normWeight: GraphOperand | undefined): GraphOperand =>
    normWeight ? emit("mul", [emit("rms-norm", [x], { epsilon }), normWeight]) : x;
  return [norm(q, inputs[14]), norm(k, inputs[15])];
}

/** Queries, keys and values [B, heads, S, D]: three inputs, or one packed input. */
function splitPackedInputs(context: LowerContext): readonly [GraphOperand, GraphOperand, GraphOperand] {
  const [heads, groups] = [intAttr(context, "num_heads", 0), intAttr(context, "kv_num_heads", 0)];
  if (!(groups > 0 && heads % groups === 0)) refuseNode(`${heads} query heads and ${groups} key heads`);
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

/** Whether every sequence is known to fill the past and the new positions. */
function lengthsAreFull({ inputs }: LowerContext, { rows, past }: QuerySpan): boolean {
  const lengths = inputs[5];
  if (lengths?.kind !== "constant") return !lengths;
  return lengths.tensor.data.every((length) => length === past + rows - 1);
}

/** Positions of the new tokens: the given ones, else each sequence continues its own past. */
function positionsOf(context: LowerContext, { batch, rows, past }: QuerySpan, isFull: boolean): GraphOperand {
  const { emit, shape, inputs, constant } = context;
  if (inputs[9]) return inputs[9];
  const count = (from: number): GraphOperand =>
    constant(tensor([1, rows], [...boundedList(rows, (i) => from + i)]), i64);
  const lengths = inputs[5];
  if (isFull || past === 0 || !lengths) return count(past);
  // The last new position is seqlens_k.
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

/** Above any length. */
const unlimited = 2 ** 30;

/**
 * The part of a past with L = min(seqlens_k + 1 − S, P) positions that new positions see: key j < P is visible iff j <
 * L, and with local_window_size w iff L + i − j < w for query i; among new keys, those within the window.
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

/** With local_window_size w a query sees its own position and the w − 1 before it. */
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
