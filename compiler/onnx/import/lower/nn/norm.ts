import { axisOf } from "../../../../../ir/ops/helpers/shapes.ts";
import { sizeOf } from "../../../../../ir/type.ts";
import {
  constantScalar,
  type GraphOperand,
  inputOf,
  intAttr,
  type LowerContext,
  type Lowering,
  type LowerTable,
  listAttr,
  wantsOutput,
} from "../../graph/index.ts";

/** Normalizes from `axis` on: several axes form one row, so they are joined and split again. */
function normalize(context: LowerContext, op: string, x: GraphOperand, axis: number): GraphOperand {
  const { emit, shape } = context;
  const epsilon = intAttr(context, "epsilon", 1e-5);
  const whole = shape(x);
  if (axis === whole.length - 1) return emit(op, [x], { epsilon });
  const rows = emit("reshape", [x], { shape: [...whole.slice(0, axis), sizeOf(whole.slice(axis))] });
  return emit("reshape", [emit(op, [rows], { epsilon })], { shape: whole });
}

/** norm(x) · weight + bias */
function scaleAndShift(
  context: LowerContext,
  x: GraphOperand,
  scale: GraphOperand | undefined,
  bias: GraphOperand | undefined,
): GraphOperand {
  const scaled = scale ? context.emit("mul", [x, scale]) : x;
  return bias ? context.emit("add", [scaled, bias]) : scaled;
}

/** Mean and inverse deviation of each row, on demand. */
function statistics(context: LowerContext, x: GraphOperand, axis: number): readonly GraphOperand[] {
  const { emit, shape } = context;
  const attrs = { axes: [...shape(x).keys()].slice(axis), keepdims: true };
  const mean = emit("reduce-mean", [x], attrs);
  const centred = emit("sub", [x, mean]);
  const variance = emit("reduce-mean", [emit("mul", [centred, centred])], attrs);
  const epsilon = constantScalar(context, intAttr(context, "epsilon", 1e-5));
  return [mean, emit("rsqrt", [emit("add", [variance, epsilon])])];
}

const standardNorm =
  (op: string, hasBias: boolean): Lowering =>
  (context) => {
    const x = inputOf(context, 0, "X");
    const axis = axisOf(intAttr(context, "axis", -1), context.shape(x).length);
    const [, scale, bias] = context.inputs;
    const y = scaleAndShift(context, normalize(context, op, x, axis), scale, hasBias ? bias : undefined);
    const asked = hasBias && (wantsOutput(context, 1) || wantsOutput(context, 2));
    return asked ? [y, ...statistics(context, x, axis)] : y;
  };

/** Normalizes x [N, C, …] in groups of channels; each entry of weight and bias serves C / their length channels. */
function groupNorm(context: LowerContext, groups: number): GraphOperand {
  const { emit, shape } = context;
  const x = inputOf(context, 0, "X");
  const whole = shape(x);
  const [batch, channels] = whole as [number, number];
  const rows = [batch, groups, sizeOf(whole.slice(1)) / groups];
  const normal = normalize(context, "layer-norm", emit("reshape", [x], { shape: rows }), 2);
  const perChannel = (index: number, name: string): GraphOperand => {
    const given = inputOf(context, index, name);
    const count = sizeOf(shape(given));
    const each = emit("expand", [emit("reshape", [given], { shape: [count, 1] })], {
      shape: [count, channels / count],
    });
    return emit("reshape", [each], { shape: [channels, ...whole.slice(2).map(() => 1)] });
  };
  return scaleAndShift(
    context,
    emit("reshape", [normal], { shape: whole }),
    perChannel(1, "scale"),
    perChannel(2, "bias"),
  );
}

/** (x − mean) / √variance over the axes. The reference adds 1e-9 to the deviation. */
function meanVarianceNorm(context: LowerContext): GraphOperand {
  const { emit, shape } = context;
  const x = inputOf(context, 0, "X");
  const rank = shape(x).length;
  const axes = (listAttr(context, "axes") ?? [0, 2, 3]).map((axis) => axisOf(axis, rank));
  const rest = [...shape(x).keys()].filter((axis) => !axes.includes(axis));
  const perm = [...rest, ...axes];
  const turned = emit("transpose", [x], { perm });
  const rows = [sizeOf(shape(turned).slice(0, rest.length)), sizeOf(shape(turned).slice(rest.length))];
  const normal = emit("layer-norm", [emit("reshape", [turned], { shape: rows })], { epsilon: 1e-18 });
  const back = emit("reshape", [normal], { shape: shape(turned) });
  return emit("transpose", [back], { perm: perm.map((_, axis) => perm.indexOf(axis)) });
}

/** x / Σ|x| or x / √Σx² along an axis. */
function lpNormalization(context: LowerContext): GraphOperand {
  const { emit, shape } = context;
  const x = inputOf(context, 0, "input");
  const attrs = { axes: [axisOf(intAttr(context, "axis", -1), shape(x).length)], keepdims: true };
  if (intAttr(context, "p", 2) === 1) {
    return emit("div", [x, emit("reduce-sum", [emit("abs", [x])], attrs)]);
  }
  return emit("mul", [x, emit("rsqrt", [emit("reduce-sum", [emit("mul", [x, x])], attrs)])]);
}

/** com.microsoft: normalizes input + skip (+ bias); that sum is the fourth output. */
const skipNorm =
  (op: string, hasBeta: boolean): Lowering =>
  (context) => {
    const { emit, inputs } = context;
    const sum = emit("add", [inputOf(context, 0, "input"), inputOf(context, 1, "skip")]);
    const bias = inputs[hasBeta ? 4 : 3];
    const x = bias ? emit("add", [sum, bias]) : sum;
    const last = context.shape(x).length - 1;
    const y = scaleAndShift(context, normalize(context, op, x, last), inputs[2], hasBeta ? inputs[3] : undefined);
    // Mean and inverse deviation are for training.
    return context.node.outputs[3] ? [y, y, y, x] : y;
  };

export const normLowerings: LowerTable = {
  GroupNormalization: (context) => groupNorm(context, intAttr(context, "num_groups", 1)),
  InstanceNormalization: (context) => groupNorm(context, context.shape(inputOf(context, 0, "X"))[1]!),
  MeanVarianceNormalization: meanVarianceNorm,
  LpNormalization: lpNormalization,
  LayerNormalization: standardNorm("layer-norm", true),
  RMSNormalization: standardNorm("rms-norm", false),
  /** Not an ONNX operator, but ONNX Runtime's exporters write it into the default domain. */
  SimplifiedLayerNormalization: standardNorm("rms-norm", false),
  "com.microsoft.SkipLayerNormalization": skipNorm("layer-norm", true),
  "com.microsoft.SkipSimplifiedLayerNormalization": skipNorm("rms-norm", false),
};
