import { axisOf } from "../../../../../ir/ops/helpers/shapes.ts";
import { i64 } from "../../../../../ir/type.ts";
import { tensor } from "../../../../../ir/weights.ts";
import type { Operand } from "../../graph/index.ts";
import {
  inputOf,
  intAttr,
  type LowerContext,
  type Lowering,
  type LowerTable,
  listOf,
  neededInput,
  number,
} from "../../graph/index.ts";

type Terms = (f: {
  readonly x: Operand;
  readonly of: (value: number) => Operand;
  readonly apply: (op: string, ...operands: readonly Operand[]) => Operand;
}) => Operand;

/** A function of each element, written with those that have an operator. */
const written =
  (terms: Terms): Lowering =>
  (context) =>
    terms({
      x: inputOf(context, 0, "input"),
      of: (value) => number(context, value),
      apply: (op, ...operands) => context.emit(op, operands),
    });

/** (e^x ± e^−x) / 2 */
const hyperbolic = (op: "add" | "sub"): Lowering =>
  written(({ x, of, apply }) => apply("mul", of(0.5), apply(op, apply("exp", x), apply("exp", apply("neg", x)))));

/** log(x + √(x² ± 1)) */
const area = (sign: 1 | -1): Lowering =>
  written(({ x, of, apply }) =>
    apply("log", apply("add", x, apply("sqrt", apply("add", apply("mul", x, x), of(sign))))),
  );

/** To nearest, halves to even: floor(x + ½), less 1 where that is odd and lies ½ above x. */
const round: Lowering = (context) => {
  const { emit } = context;
  const x = inputOf(context, 0, "X");
  const [half, one] = [number(context, 0.5), number(context, 1)];
  const near = emit("floor", [emit("add", [x, half])]);
  const halved = emit("mul", [near, half]);
  const even = emit("compare", [emit("floor", [halved]), halved], { kind: "equal" });
  const tie = emit("compare", [emit("sub", [near, x]), half], { kind: "equal" });
  const down = emit("logic", [tie, emit("not", [even])], { kind: "and" });
  return emit("where", [down, emit("sub", [near, one]), near]);
};

/** 1 at the first largest element along the axis, 0 elsewhere. */
const hardmax: Lowering = (context) => {
  const { emit, shape, constant, opset } = context;
  const given = inputOf(context, 0, "input");
  const whole = shape(given);
  const axis = axisOf(intAttr(context, "axis", opset >= 13 ? -1 : 1), whole.length);
  // Before opset 13 all axes from this one on were a single row.
  const rows = opset >= 13 ? whole : [...whole.slice(0, axis), whole.slice(axis).reduce((a, b) => a * b, 1)];
  const x = emit("reshape", [given], { shape: rows });
  const extent = rows[axis]!;
  const beside = rows.map((_, place) => (place === axis ? extent : 1));
  const places = constant(
    tensor(
      beside,
      listOf(extent, (at) => at),
    ),
    i64,
  );
  const first = emit("argmax", [x], { axis, keepdims: true });
  const marked = emit("cast", [emit("compare", [first, places], { kind: "equal" })], { to: "f32" });
  return emit("reshape", [marked], { shape: whole });
};

/** x / (bias + alpha / size · Σ x²)^beta, the sum over `size` neighbouring channels. */
const localResponse: Lowering = (context) => {
  const { emit, shape } = context;
  const x = inputOf(context, 0, "X");
  const [batch, channels, ...rest] = shape(x) as [number, number, ...number[]];
  const size = intAttr(context, "size", 1);
  const plane = [batch, 1, channels, rest.reduce((a, b) => a * b, 1)];
  const squares = emit("reshape", [emit("mul", [x, x])], { shape: plane });
  const pads = [Math.floor((size - 1) / 2), 0, Math.ceil((size - 1) / 2), 0];
  const windows = { kernel: [size, 1], strides: [1, 1], dilations: [1, 1], pads };
  const sums = emit("reshape", [emit("sum-pool", [squares], windows)], { shape: shape(x) });
  const scaled = emit("mul", [sums, number(context, intAttr(context, "alpha", 1e-4) / size)]);
  const base = emit("add", [scaled, number(context, intAttr(context, "bias", 1))]);
  return emit("div", [x, emit("pow", [base, number(context, intAttr(context, "beta", 0.75))])]);
};

/** Places of what is not 0, in rows [rank, count]: how many there are is a shape, so the numbers must be known. */
const nonZero: Lowering = (context) => {
  const { shape, data } = neededInput(context, 0, "X");
  const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((a, b) => a * b, 1));
  const found = [...data.keys()].filter((at) => data[at] !== 0);
  const rows = shape.flatMap((extent, axis) => found.map((at) => Math.floor(at / strides[axis]!) % extent));
  return context.constant(tensor([shape.length, found.length], rows), i64);
};

/** The entries whose condition, which must be known, holds. */
function compress(context: LowerContext): Operand {
  const { emit, shape, constant } = context;
  const given = inputOf(context, 0, "input");
  const axis = context.node.attributes.has("axis")
    ? axisOf(intAttr(context, "axis", 0), shape(given).length)
    : undefined;
  const { data } = neededInput(context, 1, "condition");
  const kept = [...data.keys()].filter((at) => data[at] !== 0);
  const x = axis === undefined ? emit("reshape", [given], { shape: [shape(given).reduce((a, b) => a * b, 1)] }) : given;
  return emit("gather", [x, constant(tensor([kept.length], kept), i64)], { axis: axis ?? 0 });
}

export const elementaryLowerings: LowerTable = {
  Tan: written(({ x, apply }) => apply("div", apply("sin", x), apply("cos", x))),
  Sinh: hyperbolic("sub"),
  Cosh: hyperbolic("add"),
  Asinh: area(1),
  Acosh: area(-1),
  Atanh: written(({ x, of, apply }) => {
    const ratio = apply("div", apply("add", of(1), x), apply("sub", of(1), x));
    return apply("mul", of(0.5), apply("log", ratio));
  }),
  Round: round,
  Hardmax: hardmax,
  LRN: localResponse,
  NonZero: nonZero,
  Compress: compress,
};
