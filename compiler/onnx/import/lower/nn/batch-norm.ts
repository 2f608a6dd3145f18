import type { Operand } from "../../graph/index.ts";
import {
  inputOf,
  intAttr,
  type LowerContext,
  type LowerTable,
  number,
  refuse,
  wantsOutput,
} from "../../graph/index.ts";
import { perChannel } from "./convolution.ts";

/**
 * (x − mean) / √(variance + ε) · scale + B as x·g + b: with stored statistics g and b depend on weights alone, and fold
 * into one of them each. In training mode the statistics are those of x, and running ones move towards them.
 */
function batchNormalization(context: LowerContext): readonly Operand[] {
  const { emit, shape, opset } = context;
  const training = intAttr(context, "training_mode", 0) !== 0;
  const extra = context.node.outputs.some((_, place) => place > 0 && wantsOutput(context, place));
  // Before opset 14 the number of outputs said it, and what momentum did with variances was left open.
  if (extra && opset < 14) refuse("batch statistics: export in evaluation mode");
  if (intAttr(context, "spatial", 1) === 0) refuse("statistics of every position (spatial = 0)");
  const x = inputOf(context, 0, "X");
  const rank = shape(x).length;
  if (rank < 2) refuse(`expected [N, C, …], found [${shape(x).join(", ")}]`);
  const [scale, bias, storedMean, storedVariance] = ["scale", "B", "mean", "var"].map((name, at) =>
    inputOf(context, at + 1, name),
  ) as [Operand, Operand, Operand, Operand];
  const [mean, variance] = training ? statisticsOf(context, x) : [storedMean, storedVariance];
  const epsilon = number(context, intAttr(context, "epsilon", 1e-5));
  const gain = emit("mul", [scale, emit("rsqrt", [emit("add", [variance, epsilon])])]);
  const shift = emit("sub", [bias, emit("mul", [mean, gain])]);
  const y = emit("add", [emit("mul", [x, perChannel(context, gain, rank)]), perChannel(context, shift, rank)]);
  if (!training || !extra) return [y];
  const momentum = intAttr(context, "momentum", 0.9);
  const moved = (from: Operand, to: Operand): Operand =>
    emit("add", [emit("mul", [from, number(context, momentum)]), emit("mul", [to, number(context, 1 - momentum)])]);
  return [y, moved(storedMean, mean), moved(storedVariance, variance)];
}

/** Mean and variance of each channel of [N, C, …]. */
function statisticsOf({ emit, shape }: LowerContext, x: Operand): readonly [Operand, Operand] {
  const axes = [...shape(x).keys()].filter((axis) => axis !== 1);
  const kept = emit("reduce-mean", [x], { axes, keepdims: true });
  const centred = emit("sub", [x, kept]);
  const variance = emit("reduce-mean", [emit("mul", [centred, centred])], { axes, keepdims: false });
  return [emit("reshape", [kept], { shape: [shape(x)[1]!] }), variance];
}

export const batchNormLowerings: LowerTable = { BatchNormalization: batchNormalization };
