import {
  constantScalar,
  type GraphOperand,
  inputOf,
  intAttr,
  type LowerContext,
  type LowerTable,
  refuseNode,
  wantsOutput,
} from "../../graph/index.ts";
import { perChannel } from "./convolution.ts";

/**
 * (x − mean) / √(variance + ε) · scale + B as x·g + b. With stored statistics g and b depend on weights alone, and each
 * folds into one weight. In training mode the statistics are those of x, and running statistics move towards them.
 */
function batchNormalization(context: LowerContext): readonly GraphOperand[] {
  const { emit, shape, opset } = context;
  const training = intAttr(context, "training_mode", 0) !== 0;
  const extra = context.node.outputs.some((_, index) => index > 0 && wantsOutput(context, index));
  // Before opset 14 the number of outputs decided this, and the effect of momentum on variances was undefined.
  if (extra && opset < 14) refuseNode("batch statistics: export in evaluation mode");
  if (intAttr(context, "spatial", 1) === 0) refuseNode("statistics of every position (spatial = 0)");
  const x = inputOf(context, 0, "X");
  const rank = shape(x).length;
  if (rank < 2) refuseNode(`expected [N, C, …], found [${shape(x).join(", ")}]`);
  const [scale, bias, storedMean, storedVariance] = ["scale", "B", "mean", "var"].map((name, at) =>
    inputOf(context, at + 1, name),
  ) as [GraphOperand, GraphOperand, GraphOperand, GraphOperand];
  const [mean, variance] = training ? batchStatistics(context, x) : [storedMean, storedVariance];
  const epsilon = constantScalar(context, intAttr(context, "epsilon", 1e-5));
  const factor = emit("mul", [scale, emit("rsqrt", [emit("add", [variance, epsilon])])]);
  const shift = emit("sub", [bias, emit("mul", [mean, factor])]);
  const y = emit("add", [emit("mul", [x, perChannel(context, factor, rank)]), perChannel(context, shift, rank)]);
  if (!training || !extra) return [y];
  const momentum = intAttr(context, "momentum", 0.9);
  const moved = (from: GraphOperand, to: GraphOperand): GraphOperand =>
    emit("add", [
      emit("mul", [from, constantScalar(context, momentum)]),
      emit("mul", [to, constantScalar(context, 1 - momentum)]),
    ]);
  return [y, moved(storedMean, mean), moved(storedVariance, variance)];
}

/** Mean and variance of each channel of [N, C, …]. */
function batchStatistics({ emit, shape }: LowerContext, x: GraphOperand): readonly [GraphOperand, GraphOperand] {
  const axes = [...shape(x).keys()].filter((axis) => axis !== 1);
  const kept = emit("reduce-mean", [x], { axes, keepdims: true });
  const centred = emit("sub", [x, kept]);
  const variance = emit("reduce-mean", [emit("mul", [centred, centred])], { axes, keepdims: false });
  return [emit("reshape", [kept], { shape: [shape(x)[1]!] }), variance];
}

export const batchNormLowerings: LowerTable = { BatchNormalization: batchNormalization };
