import { axisOf } from "../../../../../ir/ops/helpers/shapes.ts";
import { tensor } from "../../../../../ir/tensor.ts";
import { f32, i64, type Shape } from "../../../../../ir/type.ts";
import {
  boundedList,
  constantScalar,
  type GraphOperand,
  inputOf,
  intAttr,
  type LowerContext,
  type LowerTable,
  listAttr,
  listInput,
  refuseNode,
  stringAttr,
} from "../../graph/index.ts";

/** One axis: its size before and after, the scale between them, and the cropped region, in 0…1. */
interface ResizeAxis {
  readonly axis: number;
  readonly from: number;
  readonly to: number;
  readonly scale: number;
  readonly start: number;
  readonly end: number;
}

type CoordinateTransform = (at: number, axis: ResizeAxis) => number;

/**
 * Coordinates are those of ONNX Runtime, in single precision after each operation, where the ONNX reference computes with
 * real numbers and another length: docs/adr/0037-resize-as-onnx-runtime.md.
 */
const single = Math.fround;
const halfPixelTransform: CoordinateTransform = (at, { scale }) => single(single((at + 0.5) / scale) - 0.5);

/** Position of an output element in input coordinates: ONNX, operator Resize, coordinate_transformation_mode. */
const coordinateTransforms: Readonly<Record<string, CoordinateTransform>> = {
  half_pixel: halfPixelTransform,
  half_pixel_symmetric: (at, { from, to, scale }) => {
    const part = single(to / single(scale * from));
    return single(single((from / 2) * single(1 - part)) + (at + 0.5) / scale - 0.5);
  },
  pytorch_half_pixel: (at, axis) => (axis.to > 1 ? halfPixelTransform(at, axis) : 0),
  align_corners: (at, { from, to }) => (to === 1 ? 0 : single(single(at * (from - 1)) / (to - 1))),
  asymmetric: (at, { scale }) => single(at / scale),
  tf_half_pixel_for_nn: (at, { scale }) => single((at + 0.5) / scale),
  tf_crop_and_resize: (at, { from, to, start, end }) => {
    if (to === 1) return single(0.5 * single(start + end) * (from - 1));
    const moved = single(single(single(at * single(end - start)) * (from - 1)) / (to - 1));
    return single(single(start * (from - 1)) + moved);
  },
};

type Rounding = (x: number, scale: number) => number;

/** So near to a half ONNX Runtime takes a coordinate for one: its rounding error is about as large. */
const halfRoom = 1e-6;
const roundings: Readonly<Record<string, Rounding>> = {
  round_prefer_floor: (x) => Math.ceil(x - 0.5 - halfRoom),
  round_prefer_ceil: (x) => Math.floor(x + 0.5 + halfRoom),
  floor: Math.floor,
  ceil: Math.ceil,
};

/** Before opset 11 there is no nearest_mode. */
const oldRounding: Rounding = (x, scale) => (scale < 1 ? Math.ceil(x) : Math.floor(x));

interface InterpolationKernel {
  readonly radius: number;
  readonly weight: (distance: number) => number;
}

/** Keys, "Cubic convolution interpolation for digital image processing", 1981, equation 4, with a for −1/2. */
const cubic = (a: number): InterpolationKernel => ({
  radius: 2,
  weight: (distance) => {
    const x = Math.abs(distance);
    if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
    return x < 2 ? a * (((x - 5) * x + 8) * x - 4) : 0;
  },
});
const linear: InterpolationKernel = { radius: 1, weight: (distance) => Math.max(0, 1 - Math.abs(distance)) };

function tableEntry<T>(table: Readonly<Record<string, T>>, name: string): T {
  return Object.hasOwn(table, name)
    ? table[name]!
    : refuseNode(`expected one of ${Object.keys(table).join(", ")}, found ${name}`);
}

interface ResizeMode {
  readonly transform: CoordinateTransform;
  readonly mode: string;
  readonly nearest: Rounding;
  readonly kernel: InterpolationKernel;
  readonly antialias: boolean;
  readonly excludeOutside: boolean;
  /** Value outside the input; absent: its edge. */
  readonly outside: number | undefined;
}

/** Column k holds the weights of the input's elements in element k of the result. */
function interpolationWeights(
  axis: ResizeAxis,
  { transform, kernel, antialias, excludeOutside, outside }: ResizeMode,
): Float64Array {
  const { from, to, scale } = axis;
  if (from * to > 2 ** 26) refuseNode(`expected a table of at most 2^26 weights, found [${from}, ${to}]`);
  const data = new Float64Array(from * to);
  const stretch = antialias ? Math.min(scale, 1) : 1;
  for (let k = 0; k < to; k++) {
    const centre = transform(k, axis);
    if (outside !== undefined && (centre < 0 || centre > from - 1)) continue;
    const reach = kernel.radius / stretch;
    const [first, last] = [Math.ceil(centre - reach), Math.floor(centre + reach)];
    // ONNX Runtime leaves an antialiased element 0 that sees nothing of the input.
    if (antialias && (last < 0 || first >= from)) continue;
    let sum = 0;
    for (let i = first; i <= last; i++) {
      if (excludeOutside && (i < 0 || i >= from)) continue;
      const weight = kernel.weight((i - centre) * stretch);
      const at = Math.min(from - 1, Math.max(0, i)) * to + k;
      data[at] = data[at]! + weight;
      sum += weight;
    }
    if (sum === 0 && !antialias) refuseNode(`element ${k} of axis ${axis.axis} sees nothing of the input`);
    for (let i = 0; i < from; i++) data[i * to + k] = data[i * to + k]! / (sum || 1);
  }
  return data;
}

/** Along one axis the result is a product with a public matrix, or a selection of elements. */
function resizeAlong(context: LowerContext, x: GraphOperand, axis: ResizeAxis, ways: ResizeMode): GraphOperand {
  const { emit, shape, constant } = context;
  const { from, to } = axis;
  const centres = boundedList(to, (k) => ways.transform(k, axis));
  const isOutside = centres.map((c) => (ways.outside !== undefined && (c < 0 || c > from - 1) ? 1 : 0));
  const last = shape(x).length - 1;
  const perm = [...shape(x).keys()].map((k) => (k === axis.axis ? last : k === last ? axis.axis : k));
  const moved = emit("transpose", [x], { perm });
  const filled = (y: GraphOperand): GraphOperand => {
    if (!isOutside.includes(1)) return y;
    const condition = emit("cast", [constant(tensor([to], isOutside), i64)], { to: "bool" });
    return emit("where", [condition, constantScalar(context, ways.outside!), y]);
  };
  const chosen = (): GraphOperand => {
    const near = centres.map((c) => Math.min(from - 1, Math.max(0, ways.nearest(c, axis.scale))));
    return emit("gather", [moved, constant(tensor([to], near), i64)], { axis: last });
  };
  const mixed = (): GraphOperand => {
    const rows = last === 0 ? emit("reshape", [moved], { shape: [1, from] }) : moved;
    const product = emit("matmul", [rows, constant(tensor([from, to], interpolationWeights(axis, ways)), f32)]);
    return last === 0 ? emit("reshape", [product], { shape: [to] }) : product;
  };
  return emit("transpose", [filled(ways.mode === "nearest" ? chosen() : mixed())], { perm });
}

/** Scales of the axes, from sizes: with a policy one scale for all, the smallest or largest of them. */
function resizeScales(context: LowerContext, dims: Shape, sizes: readonly number[]): readonly number[] {
  const each = sizes.map((size, at) => single(size / dims[at]!));
  const policy = stringAttr(context, "keep_aspect_ratio_policy", "stretch");
  const choose = tableEntry<(each: readonly number[]) => readonly number[]>(
    {
      stretch: (all) => all,
      not_larger: (all) => all.map(() => Math.min(...all)),
      not_smaller: (all) => all.map(() => Math.max(...all)),
    },
    policy,
  );
  return choose(each);
}

function resizeAxes(context: LowerContext, whole: Shape): readonly ResizeAxis[] {
  const axes = (listAttr(context, "axes") ?? [...whole.keys()]).map((axis) => axisOf(axis, whole.length));
  const dims = axes.map((axis) => whole[axis]!);
  const old = context.opset < 11 || context.node.op === "Upsample";
  const [roiAt, scalesAt, sizesAt] = old ? [undefined, 1, undefined] : [1, 2, 3];
  const read = (index: number | undefined, name: string) =>
    index === undefined ? undefined : listInput(context, index, name);
  const sizes = read(sizesAt, "sizes");
  const found = listAttr(context, "scales") ?? read(scalesAt, "scales");
  const hasScales = found !== undefined && found.length > 0;
  const scales = hasScales ? found : resizeScales(context, dims, sizes ?? refuseNode("expected scales or sizes"));
  if (scales.length !== axes.length) refuseNode(`expected ${axes.length} scales or sizes, found ${scales.length}`);
  const crop = stringAttr(context, "coordinate_transformation_mode", "half_pixel") === "tf_crop_and_resize";
  const region = crop ? read(roiAt, "roi") : undefined;
  const policy = stringAttr(context, "keep_aspect_ratio_policy", "stretch");
  return axes.map((axis, at) => {
    const [from, scale] = [dims[at]!, scales[at]!];
    const [start, end] = region ? [region[at]!, region[at + axes.length]!] : [0, 1];
    // A region does not change the size, other than in the ONNX reference.
    const product = single(from * scale);
    const to = hasScales ? Math.floor(product) : policy === "stretch" ? sizes![at]! : Math.round(product);
    return { axis, from, to, scale, start, end };
  });
}

/** Resize of opset 10 and later, and Upsample: an axis with unchanged size and scale 1 is left alone. */
function resize(context: LowerContext): GraphOperand {
  const x = inputOf(context, 0, "X");
  const old = context.opset < 11 || context.node.op === "Upsample";
  const coordinates = stringAttr(context, "coordinate_transformation_mode", old ? "asymmetric" : "half_pixel");
  const mode = stringAttr(context, "mode", "nearest");
  const ways: ResizeMode = {
    mode,
    transform: tableEntry(coordinateTransforms, coordinates),
    nearest: old ? oldRounding : tableEntry(roundings, stringAttr(context, "nearest_mode", "round_prefer_floor")),
    kernel: tableEntry(
      { nearest: linear, linear, cubic: cubic(intAttr(context, "cubic_coeff_a", -0.75)) },
      mode === "bilinear" ? "linear" : mode,
    ),
    antialias: intAttr(context, "antialias", 0) !== 0,
    excludeOutside: intAttr(context, "exclude_outside", 0) !== 0,
    outside: coordinates === "tf_crop_and_resize" ? intAttr(context, "extrapolation_value", 0) : undefined,
  };
  const axes = resizeAxes(context, context.shape(x));
  // Whatever its scales and region are, an operator that keeps all sizes copies its input in ONNX Runtime.
  if (axes.every(({ from, to }) => from === to)) return x;
  const changed = axes.filter(({ from, to, scale }) => (ways.antialias ? from !== to : scale !== 1));
  return changed.reduce((done, axis) => resizeAlong(context, done, axis, ways), x);
}

export const resizeLowerings: LowerTable = { Resize: resize, Upsample: resize };
