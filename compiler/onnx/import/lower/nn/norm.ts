import { axisOf } from "../../../../../ir/ops/helpers/shapes.ts";
import { sizeOf } from "../../../../../ir/type.ts";
import type { Operand } from "../../graph/index.ts";
import {
  inputOf,
  intAttr,
  type LowerContext,
  type Lowering,
  type LowerTable,
  listAttr,
  number,
  wantsOutput,
} from "../../graph/index.ts";

/** Normalises from `axis` on: several axes are one row, so they are joined and parted again. */
function normalise(context: LowerContext, op: string, x: Operand, axis: number): Operand {
  const { emit, shape } = context;
  const epsilon = intAttr(context, "epsilon", 1e-5);
  const whole = shape(x);
  if (axis === whole.length - 1) return emit(op, [x], { epsilon });
  const rows = emit("reshape", [x], { shape: [...whole.slice(0, axis), sizeOf(whole.slice(axis))] });
  return emit("reshape", [emit(op, [rows], { epsilon })], { shape: whole });
}

/** norm(x) · gain + bias */
function affine(context: LowerContext, x: Operand, gain: Operand | undefined, bias: Operand | undefined): Operand {
  const scaled = gain ? context.emit("mul", [x, gain]) : x;
  return bias ? context.emit("add", [scaled, bias]) : scaled;
}

/** Mean and inverse deviation of each row, for who asks. */
function statistics(context: LowerContext, x: Operand, axis: number): readonly Operand[] {
  const { emit, shape } = context;
  const attrs = { axes: [...shape(x).keys()].slice(axis), keepdims: true };
  const mean = emit("reduce-mean", [x], attrs);
  const centred = emit("sub", [x, mean]);
  const variance = emit("reduce-mean", [emit("mul", [centred, centred])], attrs);
  const epsilon = number(context, intAttr(context, "epsilon", 1e-5));
  return [mean, emit("rsqrt", [emit("add", [variance, epsilon])])];
}

const standard =
  (op: string, hasBias: boolean): Lowering =>
  (context) => {
    const x = inputOf(context, 0, "X");
    const axis = axisOf(intAttr(context, "axis", -1), context.shape(x).length);
    const [, gain, bias] = context.inputs;
    const y = affine(context, normalise(context, op, x, axis), gain, hasBias ? bias : undefined);
    const asked = hasBias && (wantsOutput(context, 1) || wantsOutput(context, 2));
    return asked ? [y, ...statistics(context, x, axis)] : y;
  };

/** x [N, C, …] normalised in groups of channels; each entry of gain and bias serves C / their length channels. */
function grouped(context: LowerContext, groups: number): Operand {
  const { emit, shape } = context;
  const x = inputOf(context, 0, "X");
  const whole = shape(x);
  const [batch, channels] = whole as [number, number];
  const rows = [batch, groups, sizeOf(whole.slice(1)) / groups];
  const normal = normalise(context, "layer-norm", emit("reshape", [x], { shape: rows }), 2);
  const perChannel = (place: number, name: string): Operand => {
    const given = inputOf(context, place, name);
    const count = sizeOf(shape(given));
    const each = emit("expand", [emit("reshape", [given], { shape: [count, 1] })], {
      shape: [count, channels / count],
    });
    return emit("reshape", [each], { shape: [channels, ...whole.slice(2).map(() => 1)] });
  };
  return affine(context, emit("reshape", [normal], { shape: whole }), perChannel(1, "scale"), perChannel(2, "bias"));
}

/** (x − mean) / √variance over the axes. The reference adds 1e-9 to the deviation. */
function meanVariance(context: LowerContext): Operand {
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
function lpNormalization(context: LowerContext): Operand {
  const { emit, shape } = context;
  const x = inputOf(context, 0, "input");
  const attrs = { axes: [axisOf(intAttr(context, "axis", -1), shape(x).length)], keepdims: true };
  if (intAttr(context, "p", 2) === 1) {
    return emit("div", [x, emit("reduce-sum", [emit("abs", [x])], attrs)]);
  }
  return emit("mul", [x, emit("rsqrt", [emit("reduce-sum", [emit("mul", [x, x])], attrs)])]);
}

/** com.microsoft: input + skip (+ bias) is normalised; that sum is the fourth output. */
const skip =
  (op: string, hasBeta: boolean): Lowering =>
  (context) => {
    const { emit, inputs } = context;
    const sum = emit("add", [inputOf(context, 0, "input"), inputOf(context, 1, "skip")]);
    const bias = inputs[hasBeta ? 4 : 3];
    const x = bias ? emit("add", [sum, bias]) : sum;
    const last = context.shape(x).length - 1;
    const y = affine(context, normalise(context, op, x, last), inputs[2], hasBeta ? inputs[3] : undefined);
    // Mean and inverse deviation are for training.
    return context.node.outputs[3] ? [y, y, y, x] : y;
  };

export const normLowerings: LowerTable = {
  GroupNormalization: (context) => grouped(context, intAttr(context, "num_groups", 1)),
  InstanceNormalization: (context) => grouped(context, context.shape(inputOf(context, 0, "X"))[1]!),
  MeanVarianceNormalization: meanVariance,
  LpNormalization: lpNormalization,
  LayerNormalization: standard("layer-norm", true),
  RMSNormalization: standard("rms-norm", false),
  /** Not an ONNX operator, but written into the default domain by ONNX Runtime's exporters. */
  SimplifiedLayerNormalization: standard("rms-norm", false),
  "com.microsoft.SkipLayerNormalization": skip("layer-norm", true),
  "com.microsoft.SkipSimplifiedLayerNormalization": skip("rms-norm", false),
};
