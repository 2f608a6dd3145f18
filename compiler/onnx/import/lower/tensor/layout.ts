import { axisOf } from "../../../../../ir/ops/helpers/shapes.ts";
import { scalar, tensor } from "../../../../../ir/tensor.ts";
import { broadcast, i64, type Shape, sizeOf } from "../../../../../ir/type.ts";
import {
  axesFrom,
  boundedList,
  type GraphOperand,
  inputOf,
  intAttr,
  knownInput,
  type LowerContext,
  type LowerTable,
  listAttr,
  listInput,
  refuseNode,
  requiredInput,
} from "../../graph/index.ts";

function shapeOf(context: LowerContext): GraphOperand {
  const shape = context.shape(inputOf(context, 0, "data"));
  const at = (name: string, absent: number): number => {
    const value = intAttr(context, name, absent);
    return Math.min(shape.length, Math.max(0, value < 0 ? value + shape.length : value));
  };
  const part = shape.slice(at("start", 0), at("end", shape.length));
  return context.constant(tensor([part.length], part), i64);
}

/** 0 copies the input's size (unless allowzero); one −1 takes the rest. */
function reshape(context: LowerContext): GraphOperand {
  const data = inputOf(context, 0, "data");
  const from = context.shape(data);
  const wanted = listAttr(context, "shape") ?? listInput(context, 1, "shape") ?? refuseNode("expected a shape");
  const keepZero = intAttr(context, "allowzero", 0) !== 0;
  const shape = wanted.map((dim, axis) => (dim === 0 && !keepZero ? (from[axis] ?? 0) : dim));
  const open = shape.indexOf(-1);
  if (open >= 0) shape[open] = sizeOf(from) / Math.max(1, sizeOf(shape.filter((_, axis) => axis !== open)));
  return context.emit("reshape", [data], { shape });
}

function flatten(context: LowerContext): GraphOperand {
  const data = inputOf(context, 0, "input");
  const shape = context.shape(data);
  const axis = intAttr(context, "axis", 1);
  const splitAxis = axis < 0 ? axis + shape.length : axis;
  return context.emit("reshape", [data], {
    shape: [sizeOf(shape.slice(0, splitAxis)), sizeOf(shape.slice(splitAxis))],
  });
}

function squeeze(context: LowerContext): GraphOperand {
  const data = inputOf(context, 0, "data");
  const shape = context.shape(data);
  const axes = axesFrom(context, 1, shape.length) ?? [...shape.keys()].filter((axis) => shape[axis] === 1);
  const wrong = axes.find((axis) => shape[axis] !== 1);
  if (wrong !== undefined) refuseNode(`expected size 1 on axis ${wrong}, found [${shape.join(", ")}]`);
  return context.emit("reshape", [data], { shape: shape.filter((_, axis) => !axes.includes(axis)) });
}

function unsqueeze(context: LowerContext): GraphOperand {
  const data = inputOf(context, 0, "data");
  const given = listAttr(context, "axes") ?? listInput(context, 1, "axes") ?? refuseNode("expected axes");
  const from = context.shape(data);
  const rank = from.length + given.length;
  const axes = new Set(given.map((axis) => axisOf(axis, rank)));
  const rest = [...from];
  const shape = Array.from({ length: rank }, (_, axis) => (axes.has(axis) ? 1 : rest.shift()!));
  return context.emit("reshape", [data], { shape });
}

/** An operand that is empty along the axis adds nothing: a past of length 0, whose other sizes may be unknown. */
function concat(context: LowerContext): GraphOperand {
  const all = context.inputs.filter((operand) => operand !== undefined);
  const [first] = all;
  const axis = axisOf(intAttr(context, "axis", 0), first ? context.shape(first).length : 0);
  const filled = all.filter((operand) => context.shape(operand)[axis] !== 0);
  return context.emit("concat", filled.length > 0 ? filled : all.slice(0, 1), { axis });
}

function expand(context: LowerContext): GraphOperand {
  const data = inputOf(context, 0, "input");
  const wanted = [...requiredInput(context, 1, "shape").data];
  const shape = broadcast(context.shape(data), wanted);
  if (!shape)
    return refuseNode(`expected a shape that [${context.shape(data).join(", ")}] broadcasts to, found [${wanted}]`);
  return context.emit("expand", [data], { shape });
}

interface SliceBounds {
  readonly start: number;
  readonly end: number;
  readonly step: number;
}

/** ONNX clamps both ends to the axis; the IR needs them inside it. */
function clampBounds(dim: number, { start, end, step }: SliceBounds): SliceBounds {
  const from = (value: number): number => (value < 0 ? value + dim : value);
  if (step === 0) refuseNode("expected a step other than 0");
  const [lowest, highest] = step > 0 ? [0, dim] : [-1, dim - 1];
  const clamp = (value: number): number => Math.min(highest, Math.max(lowest, from(value)));
  const first = step > 0 ? clamp(start) : Math.min(dim - 1, Math.max(0, from(start)));
  const last = clamp(end);
  return (last - first) / step > 0 ? { start: first, end: last, step } : { start: 0, end: 0, step: 1 };
}

/** A slice over all axes; unnamed axes stay whole. */
export function sliceAxes(
  { emit, shape }: Pick<LowerContext, "emit" | "shape">,
  data: GraphOperand,
  bounds: ReadonlyMap<number, SliceBounds>,
): GraphOperand {
  const sizes = shape(data);
  const whole = (dim: number): SliceBounds => ({ start: 0, end: dim, step: 1 });
  const all = sizes.map((dim, axis) => clampBounds(dim, bounds.get(axis) ?? whole(dim)));
  const attrs = { starts: all.map((b) => b.start), ends: all.map((b) => b.end), steps: all.map((b) => b.step) };
  return emit("slice", [data], attrs);
}

/** The elements along an axis from the last to the first. */
export const reverseAxis = (
  context: Pick<LowerContext, "emit" | "shape">,
  data: GraphOperand,
  axis: number,
): GraphOperand => sliceAxes(context, data, new Map([[axis, { start: -1, end: -Infinity, step: -1 }]]));

/** Attributes up to opset 9, inputs since. */
function slice(context: LowerContext): GraphOperand {
  const data = inputOf(context, 0, "data");
  const rank = context.shape(data).length;
  const list = (name: string, index: number) => listAttr(context, name) ?? listInput(context, index, name);
  const starts = list("starts", 1) ?? refuseNode("expected starts");
  const ends = list("ends", 2) ?? refuseNode("expected ends");
  const axes = list("axes", 3) ?? [...starts.keys()];
  const steps = listInput(context, 4, "steps") ?? starts.map(() => 1);
  const bounds = axes.map(
    (axis, at) => [axisOf(axis, rank), { start: starts[at]!, end: ends[at]!, step: steps[at]! }] as const,
  );
  return sliceAxes(context, data, new Map(bounds));
}

function split(context: LowerContext): readonly GraphOperand[] {
  const data = inputOf(context, 0, "input");
  const shape = context.shape(data);
  const axis = axisOf(intAttr(context, "axis", 0), shape.length);
  const dim = shape[axis]!;
  const count = intAttr(context, "num_outputs", context.node.outputs.length);
  const part = Math.ceil(dim / count);
  const equal = boundedList(count, (at) => Math.max(0, Math.min(part, dim - at * part)));
  const sizes = listAttr(context, "split") ?? listInput(context, 1, "split") ?? equal;
  const sum = sizes.reduce((total, size) => total + size, 0);
  if (sum !== dim || sizes.some((size) => size < 0))
    refuseNode(`expected parts of ${dim} in all, found [${sizes.join(", ")}]`);
  let at = 0;
  return sizes.map((size) => {
    const start = at;
    at += size;
    return sliceAxes(context, data, new Map([[axis, { start, end: at, step: 1 }]]));
  });
}

function transpose(context: LowerContext): GraphOperand {
  const data = inputOf(context, 0, "data");
  const perm = listAttr(context, "perm") ?? [...context.shape(data).keys()].reverse();
  return context.emit("transpose", [data], { perm });
}

function tile(context: LowerContext): GraphOperand {
  const repeats = [...requiredInput(context, 1, "repeats").data];
  return repeats.reduce(
    (data, count, axis) => {
      if (count === 0) refuseNode("expected at least one repetition");
      return count === 1
        ? data
        : context.emit(
            "concat",
            boundedList(count, () => data),
            { axis },
          );
    },
    inputOf(context, 0, "input"),
  );
}

function trilu(context: LowerContext): GraphOperand {
  const diagonal = knownInput(context, 1, "k")?.data[0] ?? 0;
  return context.emit("trilu", [inputOf(context, 0, "input")], { upper: intAttr(context, "upper", 1) !== 0, diagonal });
}

const elementCount = (shape: Shape) => scalar(sizeOf(shape));

/** Operators that move elements, and those that return shapes. */
export const layoutLowerings: LowerTable = {
  Shape: shapeOf,
  Size: (context) => context.constant(elementCount(context.shape(inputOf(context, 0, "data"))), i64),
  Reshape: reshape,
  Flatten: flatten,
  Squeeze: squeeze,
  Unsqueeze: unsqueeze,
  Concat: concat,
  Expand: expand,
  Slice: slice,
  Split: split,
  Transpose: transpose,
  Tile: tile,
  Trilu: trilu,
};
