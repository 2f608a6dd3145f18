import { wrapIndex } from "../../../../../ir/ops/helpers/indices.ts";
import { axisOf, stridesOf } from "../../../../../ir/ops/helpers/shapes.ts";
import { opDef } from "../../../../../ir/registry.ts";
import { type Tensor, tensor } from "../../../../../ir/tensor.ts";
import { i64, type Shape, sizeOf } from "../../../../../ir/type.ts";
import {
  boundedList,
  constantScalar,
  type GraphOperand,
  inputOf,
  intAttr,
  type LowerContext,
  type LowerTable,
  refuseNode,
  requiredInput,
  stringAttr,
} from "../../graph/index.ts";
import { sliceAxes } from "./layout.ts";

/** Flattens x and gathers the entries at these flat indices, in this shape. */
function gatherFlat(
  { emit, shape, constant }: LowerContext,
  x: GraphOperand,
  flatIndices: readonly number[],
  to: Shape,
): GraphOperand {
  const row = emit("reshape", [x], { shape: [sizeOf(shape(x))] });
  const found = emit("gather", [row, constant(tensor([flatIndices.length], flatIndices), i64)], { axis: 0 });
  return emit("reshape", [found], { shape: to });
}

/** Flat indices into `whole` for indices that each give one coordinate: the other coordinates are their own. */
function flatIndices(whole: Shape, indices: Tensor, axis: number): number[] {
  const [own, strides] = [stridesOf(indices.shape), stridesOf(whole)];
  return Array.from(indices.data, (index, at) => {
    const size = whole[axis]!;
    const position = wrapIndex(index, size);
    return strides.reduce((sum, stride, k) => {
      const coordinate = k === axis ? position : Math.floor(at / own[k]!) % indices.shape[k]!;
      return sum + stride * coordinate;
    }, 0);
  });
}

function gatherElements(context: LowerContext): GraphOperand {
  const data = inputOf(context, 0, "data");
  const whole = context.shape(data);
  const axis = axisOf(intAttr(context, "axis", 0), whole.length);
  const given = inputOf(context, 1, "indices");
  const to = context.shape(given);
  if (to.length !== whole.length) refuseNode(`expected indices of rank ${whole.length}`);
  const first = tensor(to, new Float64Array(sizeOf(to)));
  // Among equal elements the first is as good as any: RoBERTa looks its token types up among zeros, by position.
  if (data.kind === "constant" && isConstantAlong(data.tensor, axis)) {
    return gatherFlat(context, data, flatIndices(whole, first, axis), to);
  }
  if (isSecret(given)) return gatherSecret(context, data, given, axis);
  if (given.kind === "value") return gatherAtComputed(context, data, given, axis, flatIndices(whole, first, axis));
  return gatherFlat(context, data, flatIndices(whole, requiredInput(context, 1, "indices"), axis), to);
}

function isConstantAlong({ shape, data }: Tensor, axis: number): boolean {
  const stride = stridesOf(shape)[axis]!;
  return data.every((x, at) => x === data[at - (Math.floor(at / stride) % shape[axis]!) * stride]);
}

/** Flat indices for indices that one party computes in the clear; `bases` are the flat positions of index 0. */
function gatherAtComputed(
  { emit, shape, constant }: LowerContext,
  data: GraphOperand,
  indices: GraphOperand,
  axis: number,
  bases: readonly number[],
): GraphOperand {
  const [whole, to] = [shape(data), shape(indices)];
  const integer = (value: number): GraphOperand => constant(tensor([], [value]), i64);
  const isNegative = emit("cast", [emit("compare", [indices, integer(0)], { kind: "less" })], { to: "i64" });
  const index = emit("add", [indices, emit("mul", [isNegative, integer(whole[axis]!)])]);
  const offset = emit("mul", [index, integer(stridesOf(whole)[axis]!)]);
  const flat = emit("add", [
    emit("reshape", [offset], { shape: [sizeOf(to)] }),
    constant(tensor([bases.length], bases), i64),
  ]);
  const row = emit("reshape", [data], { shape: [sizeOf(whole)] });
  return emit("reshape", [emit("gather", [row, flat], { axis: 0 })], { shape: to });
}

/** Each element from the data or, where its flat index is in `flatIndices`, from the last update to it. */
function scatterFlat(context: LowerContext, flatIndices: readonly number[]): GraphOperand {
  const { emit, shape } = context;
  const reduction = stringAttr(context, "reduction", "none");
  if (reduction !== "none") refuseNode(`the reduction ${reduction}: expected none`);
  const [data, updates] = [inputOf(context, 0, "data"), inputOf(context, 2, "updates")];
  const whole = shape(data);
  const sources = boundedList(sizeOf(whole), (at) => at);
  flatIndices.forEach((target, at) => {
    sources[target] = sources.length + at;
  });
  const rows = [data, updates].map((x) => emit("reshape", [x], { shape: [sizeOf(shape(x))] }));
  return gatherFlat(context, emit("concat", rows, { axis: 0 }), sources, whole);
}

function scatterElements(context: LowerContext): GraphOperand {
  const whole = context.shape(inputOf(context, 0, "data"));
  const axis = axisOf(intAttr(context, "axis", 0), whole.length);
  const given = inputOf(context, 1, "indices");
  if (given.kind === "value") return scatterComputed(context, given, axis);
  return scatterFlat(context, flatIndices(whole, requiredInput(context, 1, "indices"), axis));
}

/** Indices that only the client knows keep an operator of their own, which the client can compute alone. */
function scatterNd(context: LowerContext): GraphOperand {
  const [data, indices, updates] = ["data", "indices", "updates"].map((name, at) => inputOf(context, at, name)) as [
    GraphOperand,
    GraphOperand,
    GraphOperand,
  ];
  if (indices.kind !== "constant" || (data.kind === "constant" && updates.kind === "constant")) {
    return context.emit("scatter-nd", [data, indices, updates]);
  }
  const { starts, length } = sliceStarts(context.shape(data), indices.tensor, 0);
  return scatterFlat(context, consecutiveIndices(starts, length));
}

const consecutiveIndices = (starts: readonly number[], length: number): number[] =>
  starts.flatMap((start) => Array.from({ length }, (_, k) => start + k));

/** Flat starts of the slices that index tuples select, and the length of a slice. */
function sliceStarts(
  whole: Shape,
  indices: Tensor,
  batch: number,
): { readonly starts: number[]; readonly length: number } {
  const depth = indices.shape.at(-1)!;
  const sizes = whole.slice(batch, batch + depth);
  const strides = stridesOf(whole).slice(batch, batch + depth);
  const perBatch = sizeOf(indices.shape.slice(batch, -1));
  const stride = sizeOf(whole.slice(batch));
  const starts = boundedList(sizeOf(indices.shape.slice(0, -1)), (tuple) =>
    sizes.reduce(
      (sum, size, k) => sum + strides[k]! * wrapIndex(indices.data[tuple * depth + k]!, size),
      Math.floor(tuple / perBatch) * stride,
    ),
  );
  return { starts, length: sizeOf(whole.slice(batch + depth)) };
}

/** Known indices select elements, which costs nothing on shares. */
function gatherNd(context: LowerContext): GraphOperand {
  const { emit, shape } = context;
  const [data, indices] = [inputOf(context, 0, "data"), inputOf(context, 1, "indices")];
  const batch = intAttr(context, "batch_dims", 0);
  if (isSecret(indices)) {
    if (batch !== 0 || shape(indices).at(-1) !== 1)
      refuseNode("secret indices: expected one coordinate, on the first axis");
    return gatherSlicesSecret(context, data, emit("reshape", [indices], { shape: shape(indices).slice(0, -1) }), 0);
  }
  if (indices.kind !== "constant" || data.kind === "constant") {
    return emit("gather-nd", [data, indices], { batch_dims: batch });
  }
  const to = opDef("gather-nd").shape([shape(data), shape(indices)], { batch_dims: batch });
  const { starts, length } = sliceStarts(shape(data), indices.tensor, batch);
  return gatherFlat(context, data, consecutiveIndices(starts, length), to);
}

/** [index = position] on a new last axis; a negative index counts from the end. Secrets are compared. */
function oneHotMask(
  { emit, shape, element, constant }: LowerContext,
  indices: GraphOperand,
  depth: number,
): GraphOperand {
  if (indices.kind === "constant") return emit("one-hot", [indices], { depth });
  const column = emit("reshape", [indices], { shape: [...shape(indices), 1] });
  const [front, behind] = [0, -depth].map((first) => {
    const candidates = tensor([depth], Float64Array.from(boundedList(depth, (at) => first + at)));
    return emit("compare", [column, constant(candidates, element(indices))], { kind: "equal" });
  });
  return emit("logic", [front!, behind!], { kind: "xor" });
}

/** off + (on − off) · [index = position], on a new axis; indices outside give off everywhere. */
function lowerOneHot(context: LowerContext): GraphOperand {
  const { emit, shape, element } = context;
  const indices = inputOf(context, 0, "indices");
  const depth = Math.trunc(requiredInput(context, 1, "depth").data[0]!);
  const rank = shape(indices).length + 1;
  const axis = axisOf(intAttr(context, "axis", -1), rank);
  const values = inputOf(context, 2, "values");
  const value = (at: number): GraphOperand =>
    emit("reshape", [sliceAxes(context, values, new Map([[0, { start: at, end: at + 1, step: 1 }]]))], { shape: [] });
  const [off, on] = [value(0), value(1)];
  const marked = emit("cast", [oneHotMask(context, indices, depth)], { to: element(values).kind });
  const rows = emit("add", [emit("mul", [marked, emit("sub", [on, off])]), off]);
  const others = [...shape(indices).keys()];
  return emit("transpose", [rows], { perm: [...others.slice(0, axis), rank - 1, ...others.slice(axis)] });
}

/** Indices that are shared, such as the experts that a router chooses. */
const isSecret = (indices: GraphOperand): boolean => indices.kind === "value" && indices.type.label === "shared";

/** Moves the axis last, and back again. */
const moveAxisLast = ({ emit, shape }: LowerContext, x: GraphOperand, axis: number, back = false): GraphOperand => {
  const others = [...shape(x).keys()].slice(0, -1);
  const there = [...shape(x).keys()].filter((at) => at !== axis);
  return emit("transpose", [x], {
    perm: back ? [...others.slice(0, axis), others.length, ...others.slice(axis)] : [...there, axis],
  });
};

/** One-hot rows of secret indices along an axis: [… K, N]; all other axes must be as long as the data's. */
function oneHotMaskAlong(context: LowerContext, data: GraphOperand, indices: GraphOperand, axis: number): GraphOperand {
  const [whole, to] = [data, indices].map((x) => context.shape(x)) as [Shape, Shape];
  const alike = to.length === whole.length && to.every((size, at) => at === axis || size === whole[at]);
  if (!alike) refuseNode(`expected secret indices along the whole of [${whole.join(", ")}], found [${to.join(", ")}]`);
  return context.emit("cast", [oneHotMask(context, moveAxisLast(context, indices, axis), whole[axis]!)], { to: "f32" });
}

/** Inserts an axis of size 1 at a position that counts from the end. */
const insertAxis = ({ emit, shape }: LowerContext, x: GraphOperand, fromEnd: number): GraphOperand =>
  emit("reshape", [x], { shape: shape(x).toSpliced(shape(x).length - fromEnd, 0, 1) });

/** Σ_n [index = n] · x_n: every element is touched, so none is distinguished from another. */
function gatherSecret(context: LowerContext, data: GraphOperand, indices: GraphOperand, axis: number): GraphOperand {
  const { emit, shape } = context;
  const row = insertAxis(context, moveAxisLast(context, data, axis), 1);
  const chosen = emit("mul", [oneHotMaskAlong(context, data, indices, axis), row]);
  const sums = emit("reduce-sum", [chosen], { axes: [shape(chosen).length - 1], keepdims: false });
  return moveAxisLast(context, sums, axis, true);
}

/** x_n · (1 − Σ_k [index_k = n]) + Σ_k [index_k = n] · update_k: two updates of one element have no promised result. */
function scatterComputed(context: LowerContext, indices: GraphOperand, axis: number): GraphOperand {
  const { emit, shape } = context;
  if (stringAttr(context, "reduction", "none") !== "none") refuseNode("a reduction at computed indices: expected none");
  const [data, updates] = [inputOf(context, 0, "data"), inputOf(context, 2, "updates")];
  const marked = oneHotMaskAlong(context, data, indices, axis);
  const sum = (x: GraphOperand): GraphOperand =>
    emit("reduce-sum", [x], { axes: [shape(marked).length - 2], keepdims: false });
  const columns = insertAxis(context, moveAxisLast(context, updates, axis), 0);
  const kept = emit("sub", [constantScalar(context, 1), sum(marked)]);
  const rest = emit("mul", [moveAxisLast(context, data, axis), kept]);
  return moveAxisLast(context, emit("add", [rest, sum(emit("mul", [marked, columns]))]), axis, true);
}

function gather(context: LowerContext): GraphOperand {
  const [data, indices] = [inputOf(context, 0, "data"), inputOf(context, 1, "indices")];
  const axis = axisOf(intAttr(context, "axis", 0), context.shape(data).length);
  return isSecret(indices)
    ? gatherSlicesSecret(context, data, indices, axis)
    : context.emit("gather", [data, indices], { axis });
}

/** Slices at secret indices are a product of one-hot rows with all slices. */
function gatherSlicesSecret(
  context: LowerContext,
  data: GraphOperand,
  indices: GraphOperand,
  axis: number,
): GraphOperand {
  const { emit, shape } = context;
  const whole = shape(data);
  const others = [...whole.keys()].filter((at) => at !== axis);
  const rows = emit("cast", [oneHotMask(context, indices, whole[axis]!)], { to: "f32" });
  const flat = emit("reshape", [rows], { shape: [sizeOf(shape(indices)), whole[axis]!] });
  const first = emit("transpose", [data], { perm: [axis, ...others] });
  const matrix = emit("reshape", [first], { shape: [whole[axis]!, sizeOf(others.map((at) => whole[at]!))] });
  const found = emit("reshape", [emit("matmul", [flat, matrix])], {
    shape: [...shape(indices), ...others.map((at) => whole[at]!)],
  });
  const count = shape(indices).length;
  const behind = others.map((_, at) => count + at);
  return emit("transpose", [found], {
    perm: [...behind.slice(0, axis), ...shape(indices).keys(), ...behind.slice(axis)],
  });
}

/** Operators that move elements by an index operand: known indices, for one-hot secret ones too. */
export const gatherScatterLowerings: LowerTable = {
  Gather: gather,
  GatherElements: gatherElements,
  GatherND: gatherNd,
  ScatterND: scatterNd,
  ScatterElements: scatterElements,
  Scatter: scatterElements,
  OneHot: lowerOneHot,
};
