import type { Op } from "../../../../ir/module.ts";
import {
  type Fusion,
  type FusionMatcher,
  isCloseFloat32,
  matchPolynomial,
  matchProduct,
  operandPairs,
} from "./matcher.ts";

// x · sigmoid(x)
const silu: Fusion = {
  name: "silu",
  law: "x · sigmoid(x) = silu(x)",
  match: (op, { producer, emit }) => {
    if (op.name !== "mul") return undefined;
    const found = operandPairs(op).find(([x, gate]) => producer(gate, "sigmoid")?.operands[0] === x);
    return found && emit("silu", [found[0]]);
  },
};

/** −y, without a sign where y has one. */
function negated({ producer, scalar, emit }: FusionMatcher, y: string): string {
  const sign = producer(y, "neg");
  if (sign) return sign.operands[0]!;
  const product = producer(y, "mul");
  const pair = product && operandPairs(product).find(([, factor]) => scalar(factor) === -1);
  return pair ? pair[0] : emit("neg", [y]);
}

// An exponential of scores with both signs would need a ring that a sigmoid does not.
const sigmoid: Fusion = {
  name: "sigmoid",
  law: "1 / (1 + e^−x) = sigmoid(x)",
  match: (op, matcher) => {
    const { producer, scalar, emit, type } = matcher;
    const isInverse = op.name === "reciprocal" || (op.name === "div" && scalar(op.operands[0]!) === 1);
    const sum = isInverse ? producer(op.operands.at(-1)!, "add") : undefined;
    const pair = sum && operandPairs(sum).find(([one, power]) => scalar(one) === 1 && producer(power, "exp"));
    const power = pair && producer(pair[1], "exp");
    if (!power || type(power.result).shape.length !== type(op.result).shape.length) return undefined;
    return emit("sigmoid", [negated(matcher, power.operands[0]!)]);
  },
};

const root = Math.sqrt(2 / Math.PI);

/** Argument of the gate's function as a polynomial of x, constant term first. */
const geluForms = [
  { approximate: "none", gate: "erf", argument: [0, Math.SQRT1_2] },
  { approximate: "tanh", gate: "tanh", argument: [0, root, 0, root * 0.044715] },
] as const;

// x/2 · (1 + erf(x/√2)), and x/2 · (1 + tanh(√(2/π) · (x + 0.044715 x³))), in any order of the products
const gelu: Fusion = {
  name: "gelu",
  law: "½ · x · (1 + erf(x / √2)) = gelu(x); with tanh(√(2/π) · (x + 0.044715 x³)) its approximation",
  match: (op, matcher) => {
    if (op.name !== "mul" && op.name !== "div") return undefined;
    for (const side of matchProduct(matcher, op.result).of) {
      const sum = matcher.producer(side, "add");
      for (const [one, gate] of sum ? operandPairs(sum) : []) {
        const form = geluForms.find((each) => matcher.producer(gate, each.gate));
        if (matcher.scalar(one) !== 1 || !form) continue;
        const inner = matcher.definer(gate)!.operands[0]!;
        const x = variablesOf(matcher, inner).find((id) =>
          coefficientsMatch(matchPolynomial(matcher, inner, id), form.argument),
        );
        if (x !== undefined && isHalfProduct(op, matcher, x, side)) {
          return matcher.emit("gelu", [x], { approximate: form.approximate });
        }
      }
    }
    return undefined;
  },
};

function coefficientsMatch(found: readonly number[] | undefined, wanted: readonly number[]): boolean {
  return found?.length === wanted.length && found.every((value, power) => isCloseFloat32(value, wanted[power]!));
}

/** ½ · x · side, where x is kept whole even if it is a product itself. */
function isHalfProduct(op: Op, matcher: FusionMatcher, x: string, side: string): boolean {
  const { factor, of } = matchProduct(matcher, op.result, x);
  return isCloseFloat32(factor, 0.5) && of.length === 2 && of.includes(x) && of.includes(side);
}

/** Candidates for a polynomial's variable: values within a few steps of sums and products. */
function variablesOf(matcher: FusionMatcher, id: string): readonly string[] {
  const found = new Set<string>();
  const walk = (at: string, depth: number): void => {
    if (matcher.scalar(at) !== undefined || depth === 0) return;
    found.add(at);
    const op = matcher.definer(at);
    if (op && ["add", "mul", "div"].includes(op.name)) for (const operand of op.operands) walk(operand, depth - 1);
  };
  walk(id, 6);
  return [...found];
}

export const activationFusions: readonly Fusion[] = [sigmoid, silu, gelu];
