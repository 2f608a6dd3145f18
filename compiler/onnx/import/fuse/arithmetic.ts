import { axisOf } from "../../../../ir/ops/helpers/shapes.ts";
import { type Fusion, type FusionMatcher, operandPairs } from "./matcher.ts";

// x · 1 = x + 0 = x / 1 = x ^ 1 = x
const neutralElement: Fusion = {
  name: "neutral-element",
  law: "x · 1 = x + 0 = x − 0 = x / 1 = x",
  match: (op, { constant }) => {
    const unit = { mul: 1, div: 1, add: 0, sub: 0, pow: 1 }[op.name];
    if (unit === undefined) return undefined;
    const pairs = op.name === "mul" || op.name === "add" ? operandPairs(op) : [operandPairs(op)[0]!];
    return pairs.find(([, other]) => constant(other)?.data.every((value) => value === unit))?.[0];
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

export const arithmeticFusions: readonly Fusion[] = [neutralElement, power, reciprocalRoot, nanGuard, centeredSoftmax];
