import { scalar, type Tensor, tensor } from "../../../../../ir/tensor.ts";
import { f32, type Shape, sizeOf } from "../../../../../ir/type.ts";
import {
  boundedList,
  type GraphOperand,
  inputOf,
  intAttr,
  type LowerContext,
  type LowerTable,
  listAttr,
  refuseNode,
  stringAttr,
} from "../../graph/index.ts";

/** Windows of an operator, as lists with one entry per spatial axis; pads before, then after. */
export interface PoolWindows {
  readonly kernel: Shape;
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly pads: readonly number[];
}

export function readWindows(context: LowerContext, spatial: Shape, kernel: Shape): PoolWindows {
  const ones = spatial.map(() => 1);
  const strides = listAttr(context, "strides") ?? ones;
  const dilations = listAttr(context, "dilations") ?? ones;
  const lists = [kernel, strides, dilations];
  if (lists.some((list) => list.length !== spatial.length)) {
    refuseNode(`expected kernel_shape, strides and dilations of ${spatial.length} axes, found ${lists.join(" and ")}`);
  }
  const given = listAttr(context, "pads") ?? [...ones, ...ones].map(() => 0);
  const auto = stringAttr(context, "auto_pad", "NOTSET");
  if (auto === "NOTSET") return { kernel, strides, dilations, pads: given };
  if (auto === "VALID") return { kernel, strides, dilations, pads: given.map(() => 0) };
  if (auto !== "SAME_UPPER" && auto !== "SAME_LOWER") refuseNode(`auto_pad ${auto}`);
  // As many windows as strides fit; an odd pad puts the larger half after (upper) or before the input.
  const total = spatial.map((size, axis) => {
    const last = (Math.ceil(size / strides[axis]!) - 1) * strides[axis]!;
    return Math.max(0, last + (kernel[axis]! - 1) * dilations[axis]! + 1 - size);
  });
  const less = total.map((n) => Math.floor(n / 2));
  const more = total.map((n) => Math.ceil(n / 2));
  return { kernel, strides, dilations, pads: auto === "SAME_UPPER" ? [...less, ...more] : [...more, ...less] };
}

/**
 * ceil_mode: pads after the input until the last window fits, unless the window would begin beyond the input and its
 * padding.
 */
function ceilWindows(context: LowerContext, spatial: Shape, windows: PoolWindows): PoolWindows {
  if (intAttr(context, "ceil_mode", 0) === 0) return windows;
  const { kernel, strides, dilations, pads } = windows;
  const rank = spatial.length;
  const behind = spatial.map((size, axis) => {
    const [front, back, stride] = [pads[axis]!, pads[axis + rank]!, strides[axis]!];
    const span = (kernel[axis]! - 1) * dilations[axis]! + 1;
    const last = Math.ceil((size + front + back - span) / stride);
    const kept = last * stride >= size + front ? last - 1 : last;
    return Math.max(back, kept * stride + span - size - front);
  });
  return { ...windows, pads: [...pads.slice(0, rank), ...behind] };
}

/** x [N, C, …] and its spatial sizes after [N, C]. */
export function spatialInput(context: LowerContext): { readonly x: GraphOperand; readonly spatial: Shape } {
  const x = inputOf(context, 0, "X");
  const shape = context.shape(x);
  if (shape.length < 3) refuseNode(`expected [N, C, …], found [${shape.join(", ")}]`);
  return { x, spatial: shape.slice(2) };
}

const kernelOf = (context: LowerContext): Shape =>
  listAttr(context, "kernel_shape") ?? refuseNode("expected kernel_shape");

/** A vector over the channels, aligned with [N, C, …] of the given rank. */
export const perChannel = ({ emit, shape }: LowerContext, vector: GraphOperand, rank: number): GraphOperand =>
  emit("reshape", [vector], { shape: [sizeOf(shape(vector)), ...Array<number>(rank - 2).fill(1)] });

export function conv(context: LowerContext): GraphOperand {
  const { emit, shape } = context;
  const { x, spatial } = spatialInput(context);
  const w = inputOf(context, 1, "W");
  const { strides, pads, dilations } = readWindows(context, spatial, shape(w).slice(2));
  const sums = emit("conv", [x, w], { strides, pads, dilations, group: intAttr(context, "group", 1) });
  const bias = context.inputs[2];
  return bias ? emit("add", [sums, perChannel(context, bias, shape(x).length)]) : sums;
}

function maxPool(context: LowerContext): GraphOperand {
  const { x, spatial } = spatialInput(context);
  if (context.node.outputs[1]) refuseNode("the indices of the maxima (the second output)");
  return context.emit("max-pool", [x], {
    ...ceilWindows(context, spatial, readWindows(context, spatial, kernelOf(context))),
  });
}

/** How many positions of each window count: those of the input, or with its padding too. Never what ceil_mode adds. */
function windowCounts(context: LowerContext, spatial: Shape, given: PoolWindows, { pads }: PoolWindows): Tensor {
  const { kernel, strides, dilations } = given;
  const rank = spatial.length;
  const padded = intAttr(context, "count_include_pad", 0) !== 0;
  const along = spatial.map((size, axis) => {
    const span = (kernel[axis]! - 1) * dilations[axis]! + 1;
    const windows = Math.floor((size + pads[axis]! + pads[axis + rank]! - span) / strides[axis]!) + 1;
    const [from, to] = padded ? [-given.pads[axis]!, size + given.pads[axis + rank]!] : [0, size];
    return boundedList(windows, (window) => {
      const first = window * strides[axis]! - given.pads[axis]!;
      const positions = boundedList(kernel[axis]!, (k) => first + k * dilations[axis]!);
      return positions.filter((position) => position >= from && position < to).length;
    });
  });
  const counts = along.reduce((all, next) => all.flatMap((a) => next.map((b) => a * b)), [1]);
  return tensor(
    along.map((list) => list.length),
    counts,
  );
}

/**
 * Sums over windows, times 1 / count. The factor is a scalar; where counts differ it is 1 / area and then area / count,
 * which is near 1 and keeps its precision.
 */
function averagePool(context: LowerContext): GraphOperand {
  const { emit, constant } = context;
  const { x, spatial } = spatialInput(context);
  const given = readWindows(context, spatial, kernelOf(context));
  const windows = ceilWindows(context, spatial, given);
  const { shape, data } = windowCounts(context, spatial, given, windows);
  const sums = emit("sum-pool", [x], { ...windows });
  const [first] = data;
  if (data.every((count) => count === first)) return emit("mul", [sums, constant(scalar(1 / first!), f32)]);
  const area = sizeOf(windows.kernel);
  const means = emit("mul", [sums, constant(scalar(1 / area), f32)]);
  const rest = tensor(
    shape,
    data.map((count) => area / Math.max(count, 1)),
  );
  return emit("mul", [means, constant(rest, f32)]);
}

/** (Σ |x|^p)^(1/p) over windows; over whole planes for the global operator. */
function lpPool(
  context: LowerContext,
  { x, spatial }: ReturnType<typeof spatialInput>,
  windows: PoolWindows,
): GraphOperand {
  const { emit } = context;
  const p = intAttr(context, "p", 2);
  if (p !== 1 && p !== 2) refuseNode(`expected p to be 1 or 2, found ${p}`);
  const terms = p === 1 ? emit("abs", [x]) : emit("mul", [x, x]);
  const sums = emit("sum-pool", [terms], { ...ceilWindows(context, spatial, windows) });
  return p === 1 ? sums : emit("sqrt", [sums]);
}

function globalMaxPool(context: LowerContext): GraphOperand {
  const { x, spatial } = spatialInput(context);
  const ones = spatial.map(() => 1);
  const pads = [...ones, ...ones].map(() => 0);
  return context.emit("max-pool", [x], { kernel: spatial, strides: ones, pads, dilations: ones });
}

function globalAveragePool(context: LowerContext): GraphOperand {
  const { x, spatial } = spatialInput(context);
  return context.emit("reduce-mean", [x], { axes: spatial.map((_, axis) => axis + 2), keepdims: true });
}

/** Operators on windows. */
export const convolutionLowerings: LowerTable = {
  Conv: conv,
  MaxPool: maxPool,
  AveragePool: averagePool,
  LpPool: (context) => {
    const whole = spatialInput(context);
    return lpPool(context, whole, readWindows(context, whole.spatial, kernelOf(context)));
  },
  GlobalLpPool: (context) => {
    const whole = spatialInput(context);
    const [ones, none] = [whole.spatial.map(() => 1), [...whole.spatial, ...whole.spatial].map(() => 0)];
    return lpPool(context, whole, { kernel: whole.spatial, strides: ones, dilations: ones, pads: none });
  },
  GlobalMaxPool: globalMaxPool,
  GlobalAveragePool: globalAveragePool,
};
