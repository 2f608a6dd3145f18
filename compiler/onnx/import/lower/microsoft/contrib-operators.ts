import { tensor } from "../../../../../ir/tensor.ts";
import { i64 } from "../../../../../ir/type.ts";
import {
  boundedList,
  constantScalar,
  type GraphOperand,
  inputOf,
  intAttr,
  type LowerContext,
  type LowerTable,
  wantsOutput,
} from "../../graph/index.ts";
import { matmulNumpy } from "../math/linear.ts";
import { applyRotary, mergeHeads, splitHeads } from "../nn/heads.ts";
import { requireAttrs } from "./contrib-attention.ts";

/** alpha · A'·B' with the last two axes swapped (transA), the first moved before them (transBatchA), or both. */
function fusedMatMul(context: LowerContext): GraphOperand {
  const { emit, shape } = context;
  const side = (index: number, letter: string): GraphOperand => {
    const x = inputOf(context, index, letter);
    const rank = shape(x).length;
    // As in ONNX Runtime, vectors are not transposed.
    if (rank < 2) return x;
    const last = rank - 1;
    const batch = intAttr(context, `transBatch${letter}`, 0) !== 0;
    const order = batch ? [...boundedList(last - 1, (at) => at + 1), 0, last] : boundedList(rank, (at) => at);
    const [row, column] = order.slice(-2) as [number, number];
    const swapped = intAttr(context, `trans${letter}`, 0) !== 0;
    const perm = [...order.slice(0, -2), ...(swapped ? [column, row] : [row, column])];
    return emit("transpose", [x], { perm });
  };
  const sums = matmulNumpy(context, side(0, "A"), side(1, "B"));
  const alpha = intAttr(context, "alpha", 1);
  return alpha === 1 ? sums : emit("mul", [sums, constantScalar(context, alpha)]);
}

/** RotaryEmbedding of com.microsoft; positions [B, S], or the first position alone. */
function rotary(context: LowerContext): GraphOperand {
  const { emit, shape, constant } = context;
  requireAttrs(context, { is_packed_batching: 0, scale: 1 });
  const original = inputOf(context, 0, "input");
  const given = inputOf(context, 1, "position_ids");
  const caches = [2, 3].map((index) => inputOf(context, index, "cos_cache and sin_cache"));
  const rotated = intAttr(context, "rotary_embedding_dim", 0);
  const width = shape(original).at(-1)!;
  const depth = shape(original).length === 4 ? width : rotated ? 0 : 2 * shape(caches[0]!)[1]!;
  const heads = intAttr(context, "num_heads", 0) || (depth > 0 ? width / depth : 0);
  const x = splitHeads(context, original, heads, "input");
  const rows = shape(x)[2]!;
  const counted = constant(
    tensor(
      [1, rows],
      boundedList(rows, (i) => i),
    ),
    i64,
  );
  const isOffset = shape(given).length < 2;
  const positions = isOffset ? emit("add", [emit("reshape", [given], { shape: [1, 1] }), counted]) : given;
  const [cos, sin] = caches.map((cache) => emit("gather", [cache, positions], { axis: 0 })) as [
    GraphOperand,
    GraphOperand,
  ];
  const interleaved = intAttr(context, "interleaved", 0) !== 0;
  const whole = applyRotary(context, x, { cos, sin, rotated: rotated || shape(x)[3]!, interleaved });
  return shape(original).length === 3 ? mergeHeads(context, whole) : whole;
}

/** Word, position and segment embeddings, added and normalized; then the number of positions in the mask. */
function embedLayerNormalization(context: LowerContext): readonly GraphOperand[] {
  const { emit, shape, inputs, constant } = context;
  const ids = inputOf(context, 0, "input_ids");
  const [batch, rows] = shape(ids) as [number, number];
  const [, segments, , , segmentTable, , , mask, positions] = inputs;
  const positionIds =
    positions ??
    constant(
      tensor(
        [1, rows],
        boundedList(rows, (i) => i),
      ),
      i64,
    );
  const rowsOf = (table: GraphOperand, at: GraphOperand): GraphOperand => emit("gather", [table, at], { axis: 0 });
  const words = rowsOf(inputOf(context, 2, "word_embedding"), ids);
  const embedded = emit("add", [words, rowsOf(inputOf(context, 3, "position_embedding"), positionIds)]);
  const sum = segments && segmentTable ? emit("add", [embedded, rowsOf(segmentTable, segments)]) : embedded;
  const normal = emit("layer-norm", [sum], { epsilon: intAttr(context, "epsilon", 1e-12) });
  const scaled = emit("mul", [normal, inputOf(context, 5, "gamma")]);
  const y = emit("add", [scaled, inputOf(context, 6, "beta")]);
  if (!wantsOutput(context, 1) && !wantsOutput(context, 2)) return [y];
  // The third output needs the second even where no node reads it.
  const none = constant(tensor([batch], new Float64Array(batch)), i64);
  const count = mask ? emit("reduce-sum", [mask], { axes: [1], keepdims: false }) : none;
  return [y, count, sum];
}

/** Operators of com.microsoft that ONNX Runtime's optimizer writes, except attention, norms and activations. */
export const contribLowerings: LowerTable = {
  "com.microsoft.FusedMatMul": fusedMatMul,
  "com.microsoft.TransposeMatMul": fusedMatMul,
  "com.microsoft.RotaryEmbedding": rotary,
  "com.microsoft.EmbedLayerNormalization": embedLayerNormalization,
};
