import { axisOf } from "../../../../ir/ops/helpers/shapes.ts";
import { type Fusion, type FusionMatcher, operandPairs } from "./matcher.ts";

/** Neutral values: 1 of products; the lowest number, or −∞, of a maximum, as JAX and TensorFlow begin one. */
const largest = Math.fround(3.4028234663852886e38);
const neutralValues: Readonly<Record<string, (value: number) => boolean>> = {
  mul: (value) => value === 1,
  div: (value) => value === 1,
  pow: (value) => value === 1,
  add: (value) => value === 0,
  sub: (value) => value === 0,
  maximum: (value) => value <= -largest,
  minimum: (value) => value >= largest,
};
const commutative: ReadonlySet<string> = new Set(["mul", "add", "maximum", "minimum"]);

// x · 1 = x + 0 = x / 1 = x ^ 1 = max(x, −∞) = min(x, ∞) = x
const neutralElement: Fusion = {
  name: "neutral-element",
  law: "x · 1 = x + 0 = x − 0 = x / 1 = x ^ 1 = max(x, −∞) = min(x, ∞) = x",
  match: (op, { constant }) => {
    const isNeutral = Object.hasOwn(neutralValues, op.name) ? neutralValues[op.name] : undefined;
    if (!isNeutral) return undefined;
    const pairs = commutative.has(op.name) ? operandPairs(op) : [operandPairs(op)[0]!];
    return pairs.find(([, other]) => constant(other)?.data.every(isNeutral))?.[0];
  },
};

// where(true, x, y) = x; where(false, x, y) = y; where(c, x, x) = x
const knownChoice: Fusion = {
  name: "known-choice",
  law: "where(true, x, y) = x; where(false, x, y) = y; where(c, x, x) = x",
  match: (op, { constant }) => {
    if (op.name !== "where") return undefined;
    const [condition, x, y] = op.operands as [string, string, string];
    const known = constant(condition)?.data;
    if (x === y || known?.every((holds) => holds !== 0)) return x;
    return known?.every((holds) => holds === 0) ? y : undefined;
  },
};

// −(−x) = x; |x| of a value that is not negative, and relu of it, are the value
const repeated: Fusion = {
  name: "repeated",
  law: "−(−x) = x; relu(relu(x)) = relu(x); |relu(x)| = relu(x); ||x|| = |x|; max(x, x) = min(x, x) = x",
  match: (op, { definer }) => {
    const [x, y] = op.operands as [string, string | undefined];
    if (op.name === "maximum" || op.name === "minimum") return x === y ? x : undefined;
    const inner = definer(x);
    if (op.name === "neg") return inner?.name === "neg" ? inner.operands[0] : undefined;
    const isPositive = inner?.name === "relu" || inner?.name === "abs";
    return isPositive && (op.name === "relu" || op.name === "abs") ? x : undefined;
  },
};

const powers: readonly (readonly [number, (matcher: FusionMatcher, x: string) => string])[] = [
  [2, ({ emit }, x) => emit("mul", [x, x])],
  [3, ({ emit }, x) => emit("mul", [emit("mul", [x, x]), x])],
  [0.5, ({ emit }, x) => emit("sqrt", [x])],
  [-0.5, ({ emit }, x) => emit("rsqrt", [x])],
  [-1, ({ emit }, x) => emit("reciprocal", [x])],
];

// x² = x · x, x³ = x · x · x, x^½ = √x, x^−½ = 1/√x, x^−1 = 1/x
const power: Fusion = {
  name: "power",
  law: "x² = x · x; x³ = x · x · x; x^½ = √x; x^−½ = 1/√x; x^−1 = 1/x",
  match: (op, matcher) => {
    const exponent = op.name === "pow" ? matcher.scalar(op.operands[1]!) : undefined;
    return powers.find(([value]) => value === exponent)?.[1](matcher, op.operands[0]!);
  },
};

// 1 / x = reciprocal(x); 1 / √x = rsqrt(x); x / √y = x · rsqrt(y)
const reciprocalRoot: Fusion = {
  name: "reciprocal",
  law: "1 / x = reciprocal(x); reciprocal(√x) = rsqrt(x); x / √y = x · rsqrt(y)",
  match: (op, { producer, scalar, emit }) => {
    if (op.name === "reciprocal") {
      const root = producer(op.operands[0]!, "sqrt");
      return root && emit("rsqrt", root.operands);
    }
    if (op.name !== "div") return undefined;
    const [x, y] = op.operands as [string, string];
    const root = producer(y, "sqrt");
    if (scalar(x) === 1) return root ? emit("rsqrt", root.operands) : emit("reciprocal", [y]);
    return root && emit("mul", [x, emit("rsqrt", root.operands)]);
  },
};

// Fixed point has no NaN, and a softmax of finite scores produces none.
const nanGuard: Fusion = {
  name: "nan-guard",
  law: "where(isnan(softmax(s)), c, softmax(s)) = softmax(s) for finite s",
  match: (op, { producer }) => {
    const guard = op.name === "where" ? producer(op.operands[0]!, "is-nan") : undefined;
    const [, , softmaxValue] = op.operands;
    return guard && guard.operands[0] === softmaxValue && producer(softmaxValue!, "softmax") ? softmaxValue : undefined;
  },
};

// Exporters subtract the maximum so that no exponential overflows; protocols do this themselves.
const centeredSoftmax: Fusion = {
  name: "centred-softmax",
  law: "softmax(x − max(x)) = softmax(x), along one axis",
  match: (op, { producer, type, emit }) => {
    const centred = op.name === "softmax" ? producer(op.operands[0]!, "sub") : undefined;
    const [x, greatest] = centred?.operands ?? [];
    const most = producer(greatest ?? "", "reduce-max");
    if (x === undefined || most?.operands[0] !== x || most.attrs.keepdims !== true) return undefined;
    const rank = type(x).shape.length;
    const [axis, ...more] = (most.attrs.axes as readonly number[]).map((at) => axisOf(at, rank));
    return axis === axisOf(Number(op.attrs.axis), rank) && more.length === 0
      ? emit("softmax", [x], op.attrs)
      : undefined;
  },
};

export const arithmeticFusions: readonly Fusion[] = [
  neutralElement,
  knownChoice,
  repeated,
  power,
  reciprocalRoot,
  nanGuard,
  centeredSoftmax,
];
