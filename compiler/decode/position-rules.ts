import type { Attrs } from "../../ir/module.ts";
import { axesOf, axisOf } from "../../ir/ops/helpers/shapes.ts";
import { type Shape, sizeOf } from "../../ir/type.ts";

/** An op of the whole window, and the position axis of each operand. */
export interface PositionedOp {
  readonly shapes: readonly Shape[];
  /** By operand; undefined: the same at every position. */
  readonly axes: readonly (number | undefined)[];
  /** Operands that are weights: a row can be taken from them. */
  readonly isWeight: readonly boolean[];
  readonly attrs: Attrs;
  readonly result: Shape;
  /** Number of positions of the window. */
  readonly length: number;
  /** Number of positions of the derived op. */
  readonly count: number;
}

/** The op at fewer, consecutive positions. */
export interface PositionedResult {
  /** The position axis of the result. */
  readonly axis: number;
  readonly attrs?: Attrs;
  /** Axis, by operand, of weights that contribute only the positions' rows. */
  readonly rows?: Readonly<Record<number, number>>;
}

/** The op at fewer positions, or why it reads other positions. */
export type PositionRule = (site: PositionedOp) => PositionedResult | string;

const numberList = (attrs: Attrs, name: string): readonly number[] => attrs[name] as readonly number[];
const mixesPositions = "it mixes the positions of the window";
const firstAxis = ({ axes }: PositionedOp): number => axes[0]!;

/** Element-wise on operands aligned at their last axes: f(x[p], y[p]) is row p of f(x, y). */
const elementwise: PositionRule = ({ shapes, axes, isWeight, result, length }) => {
  const behind = new Set(shapes.flatMap((shape, k) => (axes[k] === undefined ? [] : [shape.length - axes[k]])));
  if (behind.size !== 1) return "its operands have the positions on different axes";
  const [fromEnd] = [...behind] as [number];
  const rows: Record<number, number> = {};
  for (const [k, shape] of shapes.entries()) {
    const axis = shape.length - fromEnd;
    if (axes[k] !== undefined || (shape[axis] ?? 1) === 1) continue;
    if (shape[axis] !== length || !isWeight[k]) return `operand ${k} differs between positions and is not a weight`;
    rows[k] = axis;
  }
  return { axis: result.length - fromEnd, rows };
};

/** Computed along the last axis. */
const alongLast: PositionRule = (site) =>
  firstAxis(site) === site.shapes[0]!.length - 1 ? mixesPositions : { axis: firstAxis(site) };

/** (x·w)[p] = x[p]·w: the summed axis is not the position axis. */
const product: PositionRule = ({ shapes, axes, result }) => {
  const fromEnd = axes.map((axis, k) => (axis === undefined ? undefined : shapes[k]!.length - axis));
  if (shapes.some((shape) => shape.length < 2)) return mixesPositions;
  if (fromEnd[0] === 1 || fromEnd[1] === 2) return mixesPositions;
  const found = [...new Set(fromEnd.filter((each) => each !== undefined))];
  if (found.length !== 1) return mixesPositions;
  const other = shapes[axes[0] === undefined ? 0 : 1]!;
  const beside = found[0]! > 2 && fromEnd.includes(undefined) ? (other[other.length - found[0]!] ?? 1) : 1;
  return beside > 1 ? "a factor differs between positions" : { axis: result.length - found[0]! };
};

/** A row of x through matrices that are the same at every position. */
const rowsThrough: PositionRule = (site) =>
  site.axes.some((axis, k) => k > 0 && axis !== undefined) ? mixesPositions : alongLast(site);

/** Positions are in row-major order before and after: as many elements precede their axis. */
const reshaped: PositionRule = (site) => {
  const { shapes, attrs, length, count } = site;
  const before = sizeOf(shapes[0]!.slice(0, firstAxis(site)));
  const shape = numberList(attrs, "shape");
  const axis = shape.findIndex((size, at) => size === length && sizeOf(shape.slice(0, at)) === before);
  return axis < 0 ? mixesPositions : { axis, attrs: { ...attrs, shape: shape.with(axis, count) } };
};

const transposed: PositionRule = (site) => ({ axis: numberList(site.attrs, "perm").indexOf(firstAxis(site)) });

const sliced: PositionRule = (site) => {
  const axis = firstAxis(site);
  const { attrs, length, count } = site;
  const [starts, ends, steps] = ["starts", "ends", "steps"].map((name) => numberList(attrs, name));
  const whole = starts![axis] === 0 && ends![axis] === length && steps![axis] === 1;
  return whole
    ? { axis, attrs: { ...attrs, ends: ends!.with(axis, count) } }
    : "it takes only some positions of the window";
};

const expanded: PositionRule = (site) => {
  const shape = numberList(site.attrs, "shape");
  const axis = site.result.length - (site.shapes[0]!.length - firstAxis(site));
  const at = shape.length - (site.result.length - axis);
  return { axis, attrs: { ...site.attrs, shape: shape.with(at, site.count) } };
};

const joined: PositionRule = (site) => {
  const { shapes, axes, isWeight, attrs, length } = site;
  const [axis, ...others] = [...new Set(axes.filter((each) => each !== undefined))];
  if (axis === undefined || others.length > 0) return "its operands have the positions on different axes";
  if (axisOf(attrs.axis as number, shapes[0]!.length) === axis) return mixesPositions;
  const rows: Record<number, number> = {};
  for (const k of shapes.keys()) {
    if (axes[k] !== undefined) continue;
    if (!isWeight[k] || shapes[k]![axis] !== length)
      return `operand ${k} differs between positions and is not a weight`;
    rows[k] = axis;
  }
  return { axis, rows };
};

/** Rows of a table by the indices of each position. */
const gathered: PositionRule = ({ shapes, axes, attrs }) => {
  const along = axisOf(attrs.axis as number, shapes[0]!.length);
  const [data, indices] = axes;
  if (data === undefined) return { axis: along + indices! };
  if (indices !== undefined || along === data) return mixesPositions;
  return { axis: data < along ? data : data - 1 + shapes[1]!.length };
};

const sumOut: PositionRule = (site) => {
  const axis = firstAxis(site);
  const axes = axesOf(numberList(site.attrs, "axes"), site.shapes[0]!.length);
  if (axes.includes(axis)) return mixesPositions;
  return { axis: site.attrs.keepdims === false ? axis - axes.filter((each) => each < axis).length : axis };
};

/** Along one axis, which may disappear. */
const alongOne: PositionRule = (site) => {
  const axis = firstAxis(site);
  const along = axisOf(site.attrs.axis as number, site.shapes[0]!.length);
  if (along === axis) return mixesPositions;
  return { axis: site.attrs.keepdims === false && along < axis ? axis - 1 : axis };
};

const rulesOf: readonly (readonly [PositionRule, string])[] = [
  [
    elementwise,
    "add sub mul div rope neg abs square pow exp log sqrt rsqrt reciprocal erf sin cos floor ceil sign clip " +
      "relu silu gelu sigmoid tanh maximum minimum compare logic not where cast is-nan share reveal",
  ],
  [alongLast, "rms-norm layer-norm"],
  [product, "matmul"],
  [rowsThrough, "low-rank"],
  [reshaped, "reshape"],
  [transposed, "transpose"],
  [sliced, "slice"],
  [expanded, "expand"],
  [joined, "concat"],
  [gathered, "gather"],
  [sumOut, "reduce-sum reduce-mean reduce-max reduce-min reduce-prod"],
  [alongOne, "softmax argmax"],
];

/** How each operator carries positions; without a rule the position axis is unknown. */
export const positionRules: ReadonlyMap<string, PositionRule> = new Map(
  rulesOf.flatMap(([rule, names]) => names.split(" ").map((name): [string, PositionRule] => [name, rule])),
);
