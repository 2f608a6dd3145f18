import {
  constantScalar,
  type GraphOperand,
  inputOf,
  intAttr,
  type LowerContext,
  type LowerTable,
} from "../../graph/index.ts";

/**
 * Activations of two pieces, written so that no exponential grows: exp takes −|x| or a value of at most 0. Then a ring
 * that holds the operands holds all intermediate values.
 */
interface PiecewiseTerms {
  readonly x: GraphOperand;
  readonly number: (value: number) => GraphOperand;
  readonly add: (a: GraphOperand, b: GraphOperand) => GraphOperand;
  readonly mul: (a: GraphOperand, b: GraphOperand) => GraphOperand;
  readonly apply: (op: string, ...operands: readonly GraphOperand[]) => GraphOperand;
}

function termsOf(context: LowerContext): PiecewiseTerms {
  const apply: PiecewiseTerms["apply"] = (op, ...operands) => context.emit(op, operands);
  return {
    x: inputOf(context, 0, "X"),
    number: (value) => constantScalar(context, value),
    add: (a, b) => apply("add", a, b),
    mul: (a, b) => apply("mul", a, b),
    apply,
  };
}

/** min(x, 0) = −relu(−x) */
const negativePart = ({ x, apply }: PiecewiseTerms): GraphOperand => apply("neg", apply("relu", apply("neg", x)));

/** gamma · (relu(x) + alpha · (exp(min(x, 0) / width) − 1)) */
function exponentialUnit(terms: PiecewiseTerms, gamma: number, alpha: number, width: number): GraphOperand {
  const { x, number: of, add, mul, apply } = terms;
  const scaled = (value: GraphOperand, factor: number): GraphOperand => (factor === 1 ? value : mul(value, of(factor)));
  const low = add(apply("exp", scaled(negativePart(terms), 1 / width)), of(-1));
  return add(scaled(apply("relu", x), gamma), scaled(low, gamma * alpha));
}

/** e^−|x| */
const expOfNegative = ({ x, apply }: PiecewiseTerms): GraphOperand => apply("exp", apply("neg", apply("abs", x)));

/** log(1 + e^x) = relu(x) + log(1 + e^−|x|) */
function softplus(context: LowerContext): GraphOperand {
  const terms = termsOf(context);
  const { x, number: of, add, apply } = terms;
  return add(apply("relu", x), apply("log", add(expOfNegative(terms), of(1))));
}

/** x · tanh(softplus(x)) = x · n / (n + m): with t = e^−|x|, n and m are 1 + 2t and 2t² for x ≥ 0, t² + 2t and 2 below. */
function mish(context: LowerContext): GraphOperand {
  const terms = termsOf(context);
  const { x, number: of, add, mul, apply } = terms;
  const t = expOfNegative(terms);
  const [twice, square] = [mul(t, of(2)), mul(t, t)];
  const above = context.emit("compare", [x, of(0)], { kind: "greater-or-equal" });
  const either = (upper: GraphOperand, lower: GraphOperand): GraphOperand => apply("where", above, upper, lower);
  const n = add(twice, either(of(1), square));
  return mul(x, apply("div", n, add(n, either(mul(square, of(2)), of(2)))));
}

/** clip(slope · x + offset, 0, 1) */
const hardSigmoid = (
  context: LowerContext,
  { x, number: of, add, mul }: PiecewiseTerms,
  slope: number,
  offset: number,
): GraphOperand => context.emit("clip", [add(mul(x, of(slope)), of(offset))], { lo: 0, hi: 1 });

/** x where it is beyond the bound on its side, moved by the bias; else 0. */
function shrink(context: LowerContext): GraphOperand {
  const { x, number: of, add, apply } = termsOf(context);
  const [bound, bias] = [intAttr(context, "lambd", 0.5), intAttr(context, "bias", 0)];
  const beyond = (kind: string, edge: number, move: number, rest: GraphOperand): GraphOperand =>
    apply("where", context.emit("compare", [x, of(edge)], { kind }), add(x, of(move)), rest);
  return beyond("greater", bound, -bias, beyond("less", -bound, bias, of(0)));
}

/**
 * Selu's constants make mean 0 and variance 1 a fixed point (Klambauer et al., NeurIPS 2017, section 2), as float32.
 */
const selu = { alpha: Math.fround(1.67326319), gamma: Math.fround(1.05070102) };

export const piecewiseLowerings: LowerTable = {
  Elu: (context) => exponentialUnit(termsOf(context), 1, intAttr(context, "alpha", 1), 1),
  Celu: (context) => {
    const alpha = intAttr(context, "alpha", 1);
    return exponentialUnit(termsOf(context), 1, alpha, alpha);
  },
  Selu: (context) => {
    const [gamma, alpha] = [intAttr(context, "gamma", selu.gamma), intAttr(context, "alpha", selu.alpha)];
    return exponentialUnit(termsOf(context), gamma, alpha, 1);
  },
  Softplus: softplus,
  Mish: mish,
  Softsign: (context) => {
    const { x, number: of, add, apply } = termsOf(context);
    return apply("div", x, add(apply("abs", x), of(1)));
  },
  HardSigmoid: (context) =>
    hardSigmoid(context, termsOf(context), intAttr(context, "alpha", 0.2), intAttr(context, "beta", 0.5)),
  HardSwish: (context) => {
    const terms = termsOf(context);
    return terms.mul(terms.x, hardSigmoid(context, terms, 1 / 6, 0.5));
  },
  ThresholdedRelu: (context) => {
    const { x, number: of, apply } = termsOf(context);
    const above = context.emit("compare", [x, of(intAttr(context, "alpha", 1))], { kind: "greater" });
    return apply("where", above, x, of(0));
  },
  Shrink: shrink,
};
