import { type Module, type Op, opsOf, typeOf, type ValueId } from "../../ir/module.ts";
import { opDef, resultRange } from "../../ir/registry.ts";
import { hasData, type WeightStore } from "../../ir/tensor.ts";
import type { Interval } from "../../ir/type.ts";
import { producersOf } from "../../ir/uses.ts";
import { atomForm, constantForm, type FormContext, formOfResult, type LinearForm } from "./linear-form.ts";
import type { FactContext } from "./order-facts.ts";
import { quotientBounds } from "./quotient-bounds.ts";
import { createRelations } from "./relations.ts";
import { type RowMaximum, reducedRowBounds, rowMaximaOf } from "./row-maxima.ts";

/**
 * A function that proves the range of each result, in program order, from the ranges of all values before it: by the op
 * tables, and by relations between values. The caller adds each range to `ranges`, tightened by what it measured.
 */
export function createProver(
  module: Module,
  weights: WeightStore,
  ranges: ReadonlyMap<ValueId, Interval>,
): (op: Op) => Interval {
  const forms = new Map<ValueId, LinearForm>();
  const maxima = new Map<ValueId, readonly RowMaximum[]>();
  const producers = producersOf(opsOf(module));
  const uniform = (id: ValueId): number | undefined => uniformOf(id, module, weights);
  const context: FactContext & FormContext = {
    module,
    uniform,
    producer: (id) => producers.get(id),
    rangeOf: (id) => ranges.get(id)!,
    formOf: (id) => {
      const known = forms.get(id);
      if (known) return known;
      const number = uniform(id);
      const form = number === undefined ? atomForm(id, typeOf(module, id).shape) : constantForm(number);
      forms.set(id, form);
      return form;
    },
    plainBounds: (form) => plainBounds(form, ranges),
  };
  const relations = createRelations(context);
  return (op) => {
    const shapes = op.operands.map((id) => typeOf(module, id).shape);
    const table = resultRange(
      opDef(op.name),
      op.operands.map((id) => ranges.get(id)!),
      op.attrs,
      shapes,
    );
    const form = formOfResult(op, context);
    forms.set(op.result, form);
    const known = (id: ValueId): readonly RowMaximum[] => maxima.get(id) ?? [];
    maxima.set(op.result, rowMaximaOf(op, known, context));
    // Its own atom says nothing about it.
    const isAtom = form.terms.some(({ atom, squared }) => atom === op.result && !squared);
    return [
      ...(isAtom ? [] : [relations.bounds(form)]),
      quotientBounds(op, context, relations),
      reducedRowBounds(op, known(op.operands[0]!), context),
    ].reduce(tighter, table);
  };
}

/** The common part; the first one where rounding leaves none. */
const tighter = (a: Interval, b: Interval): Interval => {
  const [lo, hi] = [Math.max(a.lo, b.lo), Math.min(a.hi, b.hi)];
  return lo <= hi ? { lo, hi } : a;
};

/** Bounds of a form from those of its atoms, each on its own. */
function plainBounds({ constant, terms }: LinearForm, ranges: ReadonlyMap<ValueId, Interval>): Interval {
  return terms.reduce(
    (sum, { factor, atom, squared }) => {
      const range = ranges.get(atom)!;
      const { lo, hi } = squared ? squareRange(range) : range;
      const ends = factor > 0 ? [factor * lo, factor * hi] : [factor * hi, factor * lo];
      return { lo: sum.lo + ends[0]!, hi: sum.hi + ends[1]! };
    },
    { lo: constant, hi: constant },
  );
}

const squareRange = ({ lo, hi }: Interval): Interval => ({
  lo: lo <= 0 && hi >= 0 ? 0 : Math.min(lo * lo, hi * hi),
  hi: Math.max(lo * lo, hi * hi),
});

/** The number that every element of a public constant equals. */
function uniformOf(id: ValueId, module: Module, weights: WeightStore): number | undefined {
  const weight = module.params[id];
  if (weight === undefined || typeOf(module, id).label !== "public") return undefined;
  const value = weights.get(weight);
  if (!value || !hasData(value)) return undefined;
  const [first] = value.data;
  return first !== undefined && Number.isFinite(first) && value.data.every((x) => x === first) ? first : undefined;
}
