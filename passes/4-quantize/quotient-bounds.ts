import { type Op, typeOf, type ValueId } from "../../ir/module.ts";
import type { Interval } from "../../ir/type.ts";
import {
  broadcastMap,
  composeForm,
  type FormContext,
  type LinearForm,
  scaleForm,
  squareOf,
  sumForms,
  termKey,
} from "./linear-form.ts";
import type { FactContext } from "./order-facts.ts";
import type { Relations } from "./relations.ts";

/**
 * Bounds of u/w and u/√v from the order of u and w: with −K·w ≤ u ≤ K·w and w > 0 the quotient lies in ±K, with
 * u² ≤ v in ±1. Softmaxes, means under a mask and normalised rows are quotients of this kind.
 */
export function quotientBounds(op: Op, context: FactContext & FormContext, relations: Relations): Interval {
  const unknown = { lo: -Infinity, hi: Infinity };
  const pairs =
    op.name === "div"
      ? [divided(op, context)]
      : op.name === "mul"
        ? [0, 1].map((index) => multipliedByInverse(op, index, context))
        : [];
  return pairs
    .filter((pair) => pair !== undefined)
    .map((pair) => boundsOf(pair, context, relations))
    .reduce((a, b) => ({ lo: Math.max(a.lo, b.lo), hi: Math.min(a.hi, b.hi) }), unknown);
}

interface Quotient {
  /** The value above the line, over the axes of the result. */
  readonly over: ValueId;
  readonly above: LinearForm;
  readonly aboveSquared: LinearForm;
  readonly below: LinearForm;
  readonly isRoot: boolean;
}

const operandOf = (op: Op, index: number, form: LinearForm, { module }: FormContext): LinearForm => {
  const [from, to] = [op.operands[index]!, op.result].map((id) => typeOf(module, id).shape);
  return composeForm(form, broadcastMap(from!, to!));
};

function divided(op: Op, context: FactContext & FormContext): Quotient | undefined {
  const [over, under] = op.operands as [ValueId, ValueId];
  if (!(context.rangeOf(under).lo > 0) || typeOf(context.module, op.result).element.kind !== "f32") return undefined;
  return {
    over,
    above: operandOf(op, 0, context.formOf(over), context),
    aboveSquared: operandOf(op, 0, squareOf(over, context), context),
    below: operandOf(op, 1, context.formOf(under), context),
    isRoot: false,
  };
}

/** u·(1/w) or u·(1/√v), whatever moves the elements of the inverse on its way. */
function multipliedByInverse(op: Op, index: number, context: FactContext & FormContext): Quotient | undefined {
  const inverse = operandOf(op, index, context.formOf(op.operands[index]!), context);
  const [only] = inverse.terms;
  if (inverse.terms.length !== 1 || inverse.constant !== 0 || only!.factor !== 1 || only!.squared) return undefined;
  const made = context.producer(only!.atom);
  if (made?.name !== "reciprocal" && made?.name !== "rsqrt") return undefined;
  const [under] = made.operands as [ValueId];
  if (!(context.rangeOf(under).lo > 0)) return undefined;
  const over = op.operands[1 - index]!;
  return {
    over,
    above: operandOf(op, 1 - index, context.formOf(over), context),
    aboveSquared: operandOf(op, 1 - index, squareOf(over, context), context),
    below: composeForm(context.formOf(under), only!.map),
    isRoot: made.name === "rsqrt",
  };
}

function boundsOf(quotient: Quotient, context: FactContext, relations: Relations): Interval {
  const { over, above, aboveSquared, below, isRoot } = quotient;
  const isAtMost = (form: LinearForm, by: number): boolean =>
    relations.bounds(sumForms(form, scaleForm(below, -by))).hi <= 0;
  const { lo, hi } = context.rangeOf(over);
  if (isRoot) {
    if (equal(above, below)) return { lo: Math.sqrt(Math.max(0, lo)), hi: Math.sqrt(Math.max(0, hi)) };
    if (!isAtMost(aboveSquared, 1)) return { lo: -Infinity, hi: Infinity };
    return { lo: lo >= 0 ? 0 : -atUnit, hi: hi <= 0 ? 0 : atUnit };
  }
  const factors = [1, ...factorsOf(above, context)].sort((a, b) => a - b);
  const end = (form: LinearForm): number => (factors.find((by) => isAtMost(form, by)) ?? Infinity) * atUnit;
  return { lo: lo >= 0 ? 0 : -end(scaleForm(above, -1)), hi: hi <= 0 ? 0 : end(above) };
}

/** 1, for those who check it with 53 bits. */
const atUnit = 1 + 2 ** -40;

const equal = (a: LinearForm, b: LinearForm): boolean =>
  a.constant === b.constant &&
  a.terms.length === b.terms.length &&
  a.terms.every((term) => b.terms.some((other) => termKey(other) === termKey(term) && other.factor === term.factor));

/** Magnitudes of the factors of a product, or of a sum of products: the mean of h under a mask is no larger than h. */
function factorsOf({ terms }: LinearForm, { producer, rangeOf }: FactContext): readonly number[] {
  return terms.flatMap(({ atom }) => {
    const op = producer(atom);
    const product = op?.name === "reduce-sum" ? producer(op.operands[0]!) : op;
    if (product?.name !== "mul") return [];
    return product.operands
      .map((id) => Math.max(Math.abs(rangeOf(id).lo), Math.abs(rangeOf(id).hi)))
      .filter((most) => most > 0 && Number.isFinite(most));
  });
}
