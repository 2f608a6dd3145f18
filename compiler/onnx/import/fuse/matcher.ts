import type { Op, ValueId } from "../../../../ir/module.ts";
import type { RewriteContext, RewriteRule } from "../../../../ir/rewrite.ts";
import type { Tensor } from "../../../../ir/tensor.ts";
import { sameShape } from "../../../../ir/type.ts";
import { constantPrefix } from "../graph/index.ts";

/** What a fusion reads: the graph around an op, and the values of constants (never those of weights). */
export interface FusionMatcher extends RewriteContext {
  readonly constant: (id: ValueId) => Tensor | undefined;
  /** The value of a constant with one element. */
  readonly scalar: (id: ValueId) => number | undefined;
  /** The op that defines the value, if it is this operator. */
  readonly producer: (id: ValueId, name: string) => Op | undefined;
}

/** A rewrite that may read constants; `match` as in Rewrite. */
export interface Fusion {
  readonly name: string;
  readonly law: string;
  readonly match: (op: Op, matcher: FusionMatcher) => ValueId | undefined;
}

/**
 * Turns a fusion into a rewrite rule with access to constants. A result that would change a shape (a factor of shape
 * [1, 1, 1] on a vector) is no match.
 */
export function toRewrite(fusion: Fusion, weights: ReadonlyMap<string, Tensor>): RewriteRule {
  return {
    name: fusion.name,
    law: fusion.law,
    match: (op, context) => {
      const constant = (id: ValueId): Tensor | undefined => {
        const key = context.weight(id);
        return key?.startsWith(constantPrefix) ? weights.get(key) : undefined;
      };
      const found = fusion.match(op, {
        ...context,
        constant,
        scalar: (id) => {
          const tensor = constant(id);
          return tensor?.data.length === 1 ? tensor.data[0] : undefined;
        },
        producer: (id, name) => {
          const definer = context.definer(id);
          return definer?.name === name ? definer : undefined;
        },
      });
      const fits = found !== undefined && sameShape(context.type(found).shape, context.type(op.result).shape);
      return fits ? found : undefined;
    },
  };
}

/** Equality within float32 rounding: exporters store constants as float32. */
export function isCloseFloat32(x: number, y: number): boolean {
  return Math.abs(x - y) <= 1e-5 * Math.max(Math.abs(x), Math.abs(y));
}

/** Both orders of a commutative operator's operands. */
export function operandPairs(op: Op): readonly (readonly [ValueId, ValueId])[] {
  const [a, b] = op.operands as [ValueId, ValueId];
  return [
    [a, b],
    [b, a],
  ];
}

export interface ScaledValue {
  readonly of: ValueId;
  readonly factor: number;
  /** The operand that is c, or 1/c. */
  readonly by: ValueId;
}

/** x and c of c · x or x / (1/c), with c a constant scalar. */
export function matchScaled(matcher: FusionMatcher, id: ValueId): ScaledValue | undefined {
  const product = matcher.producer(id, "mul");
  if (product) {
    for (const [of, by] of operandPairs(product)) {
      const factor = matcher.scalar(by);
      if (factor !== undefined) return { of, factor, by };
    }
    return undefined;
  }
  const quotient = matcher.producer(id, "div");
  const divisor = quotient && matcher.scalar(quotient.operands[1]!);
  return divisor ? { of: quotient.operands[0]!, factor: 1 / divisor, by: quotient.operands[1]! } : undefined;
}

export interface ProductTerms {
  readonly factor: number;
  readonly of: readonly ValueId[];
}

/** Splits a product into a scalar and values that are not products, except for `keepWhole`. */
export function matchProduct(matcher: FusionMatcher, id: ValueId, keepWhole?: ValueId): ProductTerms {
  const number = matcher.scalar(id);
  if (number !== undefined) return { factor: number, of: [] };
  if (id !== keepWhole) {
    const scaled = matchScaled(matcher, id);
    if (scaled) {
      const inner = matchProduct(matcher, scaled.of, keepWhole);
      return { factor: inner.factor * scaled.factor, of: inner.of };
    }
    const product = matcher.producer(id, "mul");
    if (product) {
      const parts = product.operands.map((operand) => matchProduct(matcher, operand, keepWhole));
      return { factor: parts.reduce((all, part) => all * part.factor, 1), of: parts.flatMap((part) => part.of) };
    }
  }
  return { factor: 1, of: [id] };
}

/**
 * Coefficients of a value as a polynomial of another, constant term first; undefined above degree 3 or for any other
 * form.
 */
export function matchPolynomial(matcher: FusionMatcher, id: ValueId, x: ValueId): readonly number[] | undefined {
  if (id === x) return [0, 1];
  const number = matcher.scalar(id);
  if (number !== undefined) return [number];
  const op = matcher.definer(id);
  if (!op || !["add", "sub", "mul", "div", "neg"].includes(op.name)) return undefined;
  const [a, b = [-1]] = op.operands.map((operand) => matchPolynomial(matcher, operand, x));
  if (!a || !b) return undefined;
  if (op.name === "div") return b.length === 1 && b[0] !== 0 ? a.map((value) => value / b[0]!) : undefined;
  if (op.name === "add" || op.name === "sub") {
    const sign = op.name === "add" ? 1 : -1;
    const length = Math.max(a.length, b.length);
    return Array.from({ length }, (_, power) => (a[power] ?? 0) + sign * (b[power] ?? 0));
  }
  if (a.length + b.length > 5) return undefined;
  const out = new Array<number>(a.length + b.length - 1).fill(0);
  a.forEach((p, i) => {
    b.forEach((q, j) => {
      out[i + j] = out[i + j]! + p * q;
    });
  });
  return out;
}
