import { scalar, type Tensor, tensor } from "../../../../../ir/tensor.ts";
import { f32, i64 } from "../../../../../ir/type.ts";
import { maskedScore } from "../../../weights/index.ts";
import { constantScalar, type GraphOperand, intAttr, type LowerContext, wantsOutput } from "../../graph/index.ts";
import { sliceLastAxis } from "./heads.ts";

export interface ScoreShape {
  readonly rows: number;
  readonly columns: number;
}

interface AttentionMask {
  /** Added to scores. */
  readonly mask: GraphOperand | undefined;
  readonly causal: boolean;
  /** Which rows have a score at all; absent: all, as far as known. */
  readonly nonEmptyRows?: GraphOperand;
}

/** Score (i, j) exists iff j − i ≤ offset. */
export function causalCondition(
  { constant }: LowerContext,
  { rows, columns }: ScoreShape,
  offset: number,
): GraphOperand {
  const data = Float64Array.from({ length: rows * columns }, (_, at) =>
    (at % columns) - Math.floor(at / columns) <= offset ? 0 : maskedScore,
  );
  return constant(tensor([rows, columns], data), f32);
}

export const additiveMask = (context: LowerContext, exists: GraphOperand): GraphOperand =>
  context.emit("where", [exists, constantScalar(context, 0), constantScalar(context, maskedScore)]);

/** Rows [… S, 1] where a known condition [… S, T] holds anywhere; undefined where all do. */
function nonEmptyRows(context: LowerContext, { shape, data }: Tensor): GraphOperand | undefined {
  const columns = shape.at(-1)!;
  const found = Array.from({ length: data.length / columns }, (_, row) =>
    Number(data.subarray(row * columns, (row + 1) * columns).includes(1)),
  );
  if (!found.includes(0)) return undefined;
  return toBoolean(context, tensor([...shape.slice(0, -1), 1], found));
}

const toBoolean = ({ emit, constant }: LowerContext, values: Tensor): GraphOperand =>
  emit("cast", [constant(values, i64)], { to: "bool" });

/** A mask with fewer columns than keys masks the rest. */
function widenMask(
  { emit, shape, element, constant }: LowerContext,
  mask: GraphOperand,
  columns: number,
): GraphOperand {
  const own = shape(mask);
  const last = own.at(-1)!;
  if (last === 1 || last >= columns) return mask;
  const isBoolean = element(mask).kind === "bool";
  const rest = [...own.slice(0, -1), columns - last];
  const hidden = constant(scalar(isBoolean ? 0 : maskedScore), element(mask));
  return emit("concat", [mask, emit("expand", [hidden], { shape: rest })], { axis: own.length - 1 });
}

/** The value added to scores: the mask, the causal triangle, and the key lengths. */
export function attentionMask(context: LowerContext, frame: ScoreShape): AttentionMask {
  const { emit, element, shape, inputs } = context;
  const [, , , short, pastK, , lengths] = inputs;
  const given = short && widenMask(context, short, frame.columns);
  const isBoolean = given !== undefined && element(given).kind === "bool";
  const own = isBoolean ? additiveMask(context, given) : given;
  const filled = isBoolean && given.kind === "constant" ? nonEmptyRows(context, given.tensor) : undefined;
  const wanted = intAttr(context, "is_causal", 0) !== 0;
  const sum = (shown: GraphOperand): GraphOperand => (own ? emit("add", [own, shown]) : shown);
  if (lengths) {
    const { exists, rows } = lengthCondition(context, lengths, frame, wanted);
    return { mask: sum(additiveMask(context, exists)), causal: false, ...(rows && { nonEmptyRows: rows }) };
  }
  // In ONNX the first query stands after the past; the IR aligns the last query with the last key.
  const past = pastK ? shape(pastK)[2]! : 0;
  const shifted = wanted && frame.columns - frame.rows !== past;
  return {
    mask: shifted ? sum(causalCondition(context, frame, past)) : own,
    causal: wanted && !shifted,
    ...(filled && { nonEmptyRows: filled }),
  };
}

/**
 * [B, 1, S, T]: keys j < length, and with causality j − i ≤ length − S, as the last query stands at the last key. Then
 * query i has a key iff length > max(0, S − 1 − i).
 */
function lengthCondition(context: LowerContext, lengths: GraphOperand, { rows, columns }: ScoreShape, causal: boolean) {
  const { emit, shape, constant } = context;
  const each = emit("reshape", [lengths], { shape: [shape(lengths)[0]!, 1, 1, 1] });
  const longerThan = (width: number, f: (i: number, j: number) => number): GraphOperand => {
    const data = Array.from({ length: rows * width }, (_, at) => f(Math.floor(at / width), at % width));
    return emit("compare", [constant(tensor([1, 1, rows, width], data), i64), each], { kind: "less" });
  };
  const exists = longerThan(columns, (i, j) => (causal ? Math.max(j, j - i + rows - 1) : j));
  const filled = longerThan(1, (i) => (causal ? Math.max(0, rows - 1 - i) : 0));
  const all = filled.kind === "constant" && filled.tensor.data.every((holds) => holds === 1);
  return { exists, rows: all ? undefined : filled };
}

export interface AttentionInputs {
  readonly q: GraphOperand;
  readonly k: GraphOperand;
  readonly v: GraphOperand;
  readonly mask: GraphOperand | undefined;
  readonly causal: boolean;
  readonly scale: number;
  readonly softcap: number;
  /** [H]: per head, the score of a position without a value. */
  readonly sink?: GraphOperand;
}

/** Repeats keys and values of G heads for H query heads: each serves H / G of them. */
function repeatKeyHeads({ emit, shape }: LowerContext, x: GraphOperand, heads: number): GraphOperand {
  const [batch, groups, rows, width] = shape(x) as [number, number, number, number];
  if (groups === heads) return x;
  const apart = emit("reshape", [x], { shape: [batch, groups, 1, rows, width] });
  const wide = emit("expand", [apart], { shape: [batch, groups, heads / groups, rows, width] });
  return emit("reshape", [wide], { shape: [batch, heads, rows, width] });
}

/** The result and, on demand, the scores that qk_matmul_output_mode selects: 0 plain, then step by step. */
export function expandAttention(
  context: LowerContext,
  { q, k, v, mask, causal, scale, softcap, sink }: AttentionInputs,
): readonly GraphOperand[] {
  const { emit, shape } = context;
  const heads = shape(q)[1]!;
  const frame = { rows: shape(q)[2]!, columns: shape(k)[2]! };
  const turned = emit("transpose", [repeatKeyHeads(context, k, heads)], { perm: [0, 1, 3, 2] });
  const plain = emit("matmul", [emit("mul", [q, constantScalar(context, scale)]), turned]);
  const capped = softcap === 0 ? plain : softcapScores(context, plain, softcap);
  const masks = [
    ...(mask ? [mask] : []),
    ...(causal ? [causalCondition(context, frame, frame.columns - frame.rows)] : []),
  ];
  const masked = masks.reduce((scores, added) => emit("add", [scores, added]), capped);
  const weights = sink ? softmaxWithSink(context, masked, sink) : emit("softmax", [masked], { axis: 3 });
  const y = emit("matmul", [weights, repeatKeyHeads(context, v, heads)]);
  const shown: readonly GraphOperand[] = [plain, capped, masked, weights];
  return wantsOutput(context, 3) ? [y, shown[intAttr(context, "qk_matmul_output_mode", 0)]!] : [y];
}

/** Softmax of scores [B, H, S, T] and one more score, whose weight is dropped. */
function softmaxWithSink(context: LowerContext, scores: GraphOperand, sink: GraphOperand): GraphOperand {
  const { emit, shape } = context;
  const [batch, heads, rows, columns] = shape(scores) as [number, number, number, number];
  const column = emit("expand", [emit("reshape", [sink], { shape: [1, heads, 1, 1] })], {
    shape: [batch, heads, rows, 1],
  });
  const weights = emit("softmax", [emit("concat", [scores, column], { axis: 3 })], { axis: 3 });
  return sliceLastAxis(context, weights, 0, columns);
}

/** c · tanh(s / c) */
function softcapScores(context: LowerContext, scores: GraphOperand, most: number): GraphOperand {
  const { emit } = context;
  const inner = emit("tanh", [emit("mul", [scores, constantScalar(context, 1 / most)])]);
  return emit("mul", [inner, constantScalar(context, most)]);
}
