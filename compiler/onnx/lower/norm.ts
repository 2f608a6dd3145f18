import { axisOf } from "../../../ir/ops/helpers/shapes.ts";
import { sizeOf } from "../../../ir/type.ts";
import { inputOf, intAttr, type LowerContext, type Lowering, type LowerTable } from "./context.ts";
import type { Operand } from "./operand.ts";

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

const standard =
  (op: string, hasBias: boolean): Lowering =>
  (context) => {
    const x = inputOf(context, 0, "X");
    const axis = axisOf(intAttr(context, "axis", -1), context.shape(x).length);
    const [, gain, bias] = context.inputs;
    return affine(context, normalise(context, op, x, axis), gain, hasBias ? bias : undefined);
  };

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
  LayerNormalization: standard("layer-norm", true),
  RMSNormalization: standard("rms-norm", false),
  /** Not an ONNX operator, but written into the default domain by ONNX Runtime's exporters. */
  SimplifiedLayerNormalization: standard("rms-norm", false),
  "com.microsoft.SkipLayerNormalization": skip("layer-norm", true),
  "com.microsoft.SkipSimplifiedLayerNormalization": skip("rms-norm", false),
};
