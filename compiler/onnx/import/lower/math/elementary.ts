import { axisOf } from "../../../../../ir/ops/helpers/shapes.ts";
import { tensor } from "../../../../../ir/tensor.ts";
import { f32, i64 } from "../../../../../ir/type.ts";
import {
  boundedList,
  constantScalar,
  type GraphOperand,
  inputOf,
  intAttr,
  type LowerContext,
  type Lowering,
  type LowerTable,
  requiredInput,
} from "../../graph/index.ts";

type ElementwiseTerms = (f: {
  readonly x: GraphOperand;
  readonly of: (value: number) => GraphOperand;
  readonly apply: (op: string, ...operands: readonly GraphOperand[]) => GraphOperand;
}) => GraphOperand;

/** An element-wise function, written with functions that have an operator. */
const fromTerms =
  (terms: ElementwiseTerms): Lowering =>
  (context) =>
    terms({
      x: inputOf(context, 0, "input"),
      of: (value) => constantScalar(context, value),
      apply: (op, ...operands) => context.emit(op, operands),
    });

/** (e^x ± e^−x) / 2 */
const hyperbolic = (op: "add" | "sub"): Lowering =>
  fromTerms(({ x, of, apply }) => apply("mul", of(0.5), apply(op, apply("exp", x), apply("exp", apply("neg", x)))));

/** log(x + √(x² ± 1)) */
const inverseHyperbolic = (sign: 1 | -1): Lowering =>
  fromTerms(({ x, of, apply }) =>
    apply("log", apply("add", x, apply("sqrt", apply("add", apply("mul", x, x), of(sign))))),
  );

/** Rounds to nearest, ties to even: floor(x + ½), less 1 where that is odd and lies ½ above x. */
const round: Lowering = (context) => {
  const { emit } = context;
  const x = inputOf(context, 0, "X");
  const [half, one] = [constantScalar(context, 0.5), constantScalar(context, 1)];
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
  const size = rows[axis]!;
  const indexShape = rows.map((_, index) => (index === axis ? size : 1));
  const indices = constant(
    tensor(
      indexShape,
      boundedList(size, (at) => at),
    ),
    i64,
  );
  const first = emit("argmax", [x], { axis, keepdims: true });
  const marked = emit("cast", [emit("compare", [first, indices], { kind: "equal" })], { to: "f32" });
  return emit("reshape", [marked], { shape: whole });
};

/** x / (bias + alpha / size · Σ x²)^beta, with the sum over `size` neighbouring channels. */
const localResponseNorm: Lowering = (context) => {
  const { emit, shape } = context;
  const x = inputOf(context, 0, "X");
  const [batch, channels, ...rest] = shape(x) as [number, number, ...number[]];
  const size = intAttr(context, "size", 1);
  const plane = [batch, 1, channels, rest.reduce((a, b) => a * b, 1)];
  const squares = emit("reshape", [emit("mul", [x, x])], { shape: plane });
  const pads = [Math.floor((size - 1) / 2), 0, Math.ceil((size - 1) / 2), 0];
  const windows = { kernel: [size, 1], strides: [1, 1], dilations: [1, 1], pads };
  const sums = emit("reshape", [emit("sum-pool", [squares], windows)], { shape: shape(x) });
  const scaled = emit("mul", [sums, constantScalar(context, intAttr(context, "alpha", 1e-4) / size)]);
  const base = emit("add", [scaled, constantScalar(context, intAttr(context, "bias", 1))]);
  return emit("div", [x, emit("pow", [base, constantScalar(context, intAttr(context, "beta", 0.75))])]);
};

/** c ^ x = e^(x · ln c) for a known c > 0: the operator takes known exponents alone. */
function power(context: LowerContext): GraphOperand {
  const { emit, element } = context;
  const [base, exponent] = [inputOf(context, 0, "X"), inputOf(context, 1, "Y")];
  const isKnown = base.kind === "constant" && exponent.kind !== "constant" && element(base).kind === "f32";
  if (!isKnown || !base.tensor.data.every((value) => value > 0)) return emit("pow", [base, exponent]);
  const logarithm = context.constant(tensor(base.tensor.shape, base.tensor.data.map(Math.log)), f32);
  return emit("exp", [emit("mul", [exponent, logarithm])]);
}

/** Indices of the non-zero elements, [rank, count]: the count is a shape, so the values must be known. */
const nonZero: Lowering = (context) => {
  const { shape, data } = requiredInput(context, 0, "X");
  const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((a, b) => a * b, 1));
  const found = [...data.keys()].filter((at) => data[at] !== 0);
  const rows = shape.flatMap((size, axis) => found.map((at) => Math.floor(at / strides[axis]!) % size));
  return context.constant(tensor([shape.length, found.length], rows), i64);
};

/** The entries whose condition holds; the condition must be known. */
function compress(context: LowerContext): GraphOperand {
  const { emit, shape, constant } = context;
  const given = inputOf(context, 0, "input");
  const axis = context.node.attributes.has("axis")
    ? axisOf(intAttr(context, "axis", 0), shape(given).length)
    : undefined;
  const { data } = requiredInput(context, 1, "condition");
  const selected = [...data.keys()].filter((at) => data[at] !== 0);
  const x = axis === undefined ? emit("reshape", [given], { shape: [shape(given).reduce((a, b) => a * b, 1)] }) : given;
  return emit("gather", [x, constant(tensor([selected.length], selected), i64)], { axis: axis ?? 0 });
}

export const elementaryLowerings: LowerTable = {
  Tan: fromTerms(({ x, apply }) => apply("div", apply("sin", x), apply("cos", x))),
  Sinh: hyperbolic("sub"),
  Cosh: hyperbolic("add"),
  Asinh: inverseHyperbolic(1),
  Acosh: inverseHyperbolic(-1),
  Atanh: fromTerms(({ x, of, apply }) => {
    const ratio = apply("div", apply("add", of(1), x), apply("sub", of(1), x));
    return apply("mul", of(0.5), apply("log", ratio));
  }),
  Round: round,
  Hardmax: hardmax,
  LRN: localResponseNorm,
  Pow: power,
  NonZero: nonZero,
  Compress: compress,
};
