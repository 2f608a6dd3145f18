import { tensor } from "../../../../../ir/tensor.ts";
import { f32, type Shape } from "../../../../../ir/type.ts";
import {
  type GraphOperand,
  inputOf,
  intAttr,
  type LowerContext,
  type LowerTable,
  listAttr,
  refuseNode,
  stringAttr,
} from "../../graph/index.ts";
import { reverseAxis, sliceAxes } from "../tensor/layout.ts";
import { perChannel, spatialInput } from "./convolution.ts";

/** Inserts stride − 1 zeros between the elements of an axis. */
function dilate(context: LowerContext, x: GraphOperand, axis: number, stride: number): GraphOperand {
  const { emit, shape, constant } = context;
  if (stride === 1) return x;
  const whole = shape(x);
  const apart = emit("reshape", [x], { shape: whole.toSpliced(axis + 1, 0, 1) });
  const zero = emit("expand", [constant(tensor([], [0]), f32)], { shape: whole.toSpliced(axis + 1, 0, stride - 1) });
  const joined = emit("concat", [apart, zero], { axis: axis + 1 });
  const row = emit("reshape", [joined], { shape: whole.with(axis, whole[axis]! * stride) });
  return sliceAxes(context, row, new Map([[axis, { start: 0, end: (whole[axis]! - 1) * stride + 1, step: 1 }]]));
}

/** [C, M/g, …] to [M, C/g, …], each kernel flipped. */
function flipKernel(context: LowerContext, w: GraphOperand, groups: number): GraphOperand {
  const { emit, shape } = context;
  const [channels, each, ...kernel] = shape(w) as [number, number, ...number[]];
  const parts = emit("reshape", [w], { shape: [groups, channels / groups, each, ...kernel] });
  const perm = [0, 2, 1, ...kernel.map((_, axis) => axis + 3)];
  const whole = [groups * each, channels / groups, ...kernel];
  const moved = emit("reshape", [emit("transpose", [parts], { perm })], { shape: whole });
  return kernel.reduce<GraphOperand>(
    (done, size, axis) => (size > 1 ? reverseAxis(context, done, axis + 2) : done),
    moved,
  );
}

/** The crop of the full result before and after, per axis; negative: padding. */
function outputCrops(
  context: LowerContext,
  spatial: Shape,
  spans: Shape,
  strides: Shape,
): (readonly [number, number])[] {
  const rank = spatial.length;
  const added = listAttr(context, "output_padding") ?? spatial.map(() => 0);
  const full = spatial.map((size, axis) => (size - 1) * strides[axis]! + spans[axis]!);
  const auto = stringAttr(context, "auto_pad", "NOTSET");
  const wanted =
    listAttr(context, "output_shape") ??
    (auto.startsWith("SAME") ? spatial.map((size, axis) => size * strides[axis]!) : undefined);
  if (wanted) {
    return wanted.slice(-rank).map((size, axis) => {
      const total = full[axis]! + added[axis]! - size;
      const [less, more] = [Math.floor(total / 2), Math.ceil(total / 2)];
      const [front, behind] = auto === "SAME_UPPER" ? [less, more] : [more, less];
      return [front, behind - added[axis]!];
    });
  }
  if (!["NOTSET", "VALID"].includes(auto)) refuseNode(`auto_pad ${auto}`);
  const pads = (auto === "NOTSET" && listAttr(context, "pads")) || [...spatial, ...spatial].map(() => 0);
  return spatial.map((_, axis) => [pads[axis]!, pads[axis + rank]! - added[axis]!]);
}

/** A convolution of x, with zeros between its elements, by the flipped kernels. */
function convTranspose(context: LowerContext): GraphOperand {
  const { emit, shape } = context;
  const { x, spatial } = spatialInput(context);
  const w = inputOf(context, 1, "W");
  const group = intAttr(context, "group", 1);
  const ones = spatial.map(() => 1);
  const [strides, dilations] = ["strides", "dilations"].map((name) => listAttr(context, name) ?? ones) as [
    Shape,
    Shape,
  ];
  const spans = shape(w)
    .slice(2)
    .map((size, axis) => (size - 1) * dilations[axis]! + 1);
  const cuts = outputCrops(context, spatial, spans, strides);
  const wide = spatial.reduce<GraphOperand>((done, _, axis) => dilate(context, done, axis + 2, strides[axis]!), x);
  const around = (side: 0 | 1): number[] => spans.map((span, axis) => span - 1 - cuts[axis]![side]);
  const [front, behind] = [around(0), around(1)];
  // A convolution pads and does not crop, so the excess is cropped from its result.
  const pads = [...front, ...behind].map((count) => Math.max(0, count));
  const sums = emit("conv", [wide, flipKernel(context, w, group)], { strides: ones, dilations, pads, group });
  const sliceBounds = spatial.map((_, axis) => {
    const size = shape(sums)[axis + 2]!;
    return [axis + 2, { start: Math.max(0, -front[axis]!), end: size - Math.max(0, -behind[axis]!), step: 1 }] as const;
  });
  const y = sliceAxes(context, sums, new Map(sliceBounds));
  const bias = context.inputs[2];
  return bias ? emit("add", [y, perChannel(context, bias, shape(x).length)]) : y;
}

export const transposedConvolutionLowerings: LowerTable = { ConvTranspose: convTranspose };
