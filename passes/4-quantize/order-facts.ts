import { type Module, type Op, typeOf, type ValueId } from "../../ir/module.ts";
import type { Interval } from "../../ir/type.ts";
import { sizeOf } from "../../ir/type.ts";
import {
  along,
  broadcastMap,
  composeForm,
  constantForm,
  firstRowAxis,
  type Index,
  type LinearForm,
  reducedAxes,
  reductionMap,
  scaleForm,
  sumForms,
  type Term,
} from "./linear-form.ts";

/**
 * A form that bounds a value element by element, over the axes of the value. Its axes of rows stand for any position:
 * max(x)[i] ≥ x[i, j] for every j.
 */
export interface OrderFact {
  readonly form: LinearForm;
  /** Sizes of its axes of rows. */
  readonly rows: ReadonlyMap<number, number>;
}

/** What a value is at least, and at most. */
export interface OrderFacts {
  readonly atLeast: readonly OrderFact[];
  readonly atMost: readonly OrderFact[];
}

export interface FactContext {
  readonly module: Module;
  readonly formOf: (id: ValueId) => LinearForm;
  readonly rangeOf: (id: ValueId) => Interval;
  readonly producer: (id: ValueId) => Op | undefined;
  /** Bounds of a form from those of its atoms alone. */
  readonly plainBounds: (form: LinearForm) => Interval;
}

const none: OrderFacts = { atLeast: [], atMost: [] };
const noRows: ReadonlyMap<number, number> = new Map();
const fact = (form: LinearForm): OrderFact => ({ form, rows: noRows });
const constant = (value: number): LinearForm => constantForm(value);

/** The reduced axes of a reduction, each as an axis of rows. */
function rowsOf(op: Op, module: Module): { readonly row: (axis: number) => Index; readonly rows: OrderFact["rows"] } {
  const { shape } = typeOf(module, op.operands[0]!);
  const axes = reducedAxes(op, module).toSorted((a, b) => a - b);
  return {
    row: (axis) => along(firstRowAxis + axes.indexOf(axis)),
    rows: new Map(axes.map((axis, k) => [firstRowAxis + k, shape[axis]!])),
  };
}

/** The elements of a reduction's operand: one for each position of the row. */
export function rowElements(op: Op, { module, formOf }: Pick<FactContext, "module" | "formOf">): OrderFact {
  const { row, rows } = rowsOf(op, module);
  return { form: composeForm(formOf(op.operands[0]!), reductionMap(op, module, row)), rows };
}

/** Number of elements in a row. */
export const rowLength = (op: Op, module: Module): number =>
  sizeOf(reducedAxes(op, module).map((axis) => typeOf(module, op.operands[0]!).shape[axis]!));

const operandOf = (op: Op, index: number, { module, formOf }: FactContext): LinearForm => {
  const [from, to] = [op.operands[index]!, op.result].map((id) => typeOf(module, id).shape);
  return composeForm(formOf(op.operands[index]!), broadcastMap(from!, to!));
};

/** x, at least or at most, moved by a finite number; nothing for an infinite one. */
const moved = (form: LinearForm, by: number): readonly OrderFact[] =>
  Number.isFinite(by) ? [fact(sumForms(form, constant(by)))] : [];

/** clip(x, lo, hi): no less than x unless x exceeds hi, and then by at most how far it does. */
function clipped(op: Op, lo: number, hi: number, context: FactContext): OrderFacts {
  const [x, range] = [operandOf(op, 0, context), context.rangeOf(op.operands[0]!)];
  return {
    atLeast: moved(x, hi === Infinity ? 0 : -Math.max(0, range.hi - hi)),
    atMost: moved(x, lo === -Infinity ? 0 : Math.max(0, lo - range.lo)),
  };
}

/** lo·m ≤ h·m ≤ hi·m for m ≥ 0 and h in [lo, hi]. */
function product(op: Op, context: FactContext): OrderFacts {
  const bounds = [0, 1].map((index): OrderFacts => {
    const { lo, hi } = context.rangeOf(op.operands[1 - index]!);
    if (context.rangeOf(op.operands[index]!).lo < 0) return none;
    const scaled = (by: number): readonly OrderFact[] =>
      Number.isFinite(by) ? [fact(scaleForm(operandOf(op, index, context), by))] : [];
    return { atLeast: scaled(lo), atMost: scaled(hi) };
  });
  const root = rootOf(op, context);
  return {
    atLeast: [...bounds.flatMap(({ atLeast }) => atLeast), ...(root === undefined ? [] : roots(root, context))],
    atMost: bounds.flatMap(({ atMost }) => atMost),
  };
}

/** v, if the product is v·rsqrt(v) = √v. */
function rootOf(op: Op, { producer }: FactContext): ValueId | undefined {
  return op.operands.find((id, index) => {
    const inverse = producer(op.operands[1 - index]!);
    return inverse?.name === "rsqrt" && inverse.operands[0] === id;
  });
}

/** √v ≥ ±√c·a wherever v ≥ c·a²: v has such a square among its terms, or sums a row of them. */
function roots(v: ValueId, context: FactContext): readonly OrderFact[] {
  return squaresWithin({ form: context.formOf(v), rows: noRows }, context).flatMap(({ term, rows }) => {
    const { squared: _, ...plain } = term;
    return [1, -1].map((sign) => ({
      form: { constant: 0, terms: [{ ...plain, factor: sign * Math.sqrt(term.factor) }] },
      rows,
    }));
  });
}

interface Square {
  readonly term: Term;
  readonly rows: OrderFact["rows"];
}

/** Squares that a form is no less than, alone: all other terms together are never negative. */
function squaresWithin({ form, rows }: OrderFact, context: FactContext): readonly Square[] {
  return form.terms.flatMap((term): readonly Square[] => {
    const rest = { constant: form.constant, terms: form.terms.filter((other) => other !== term) };
    if (term.factor <= 0 || context.plainBounds(rest).lo < 0) return [];
    if (term.squared) return [{ term, rows }];
    const op = context.producer(term.atom);
    if (op?.name !== "reduce-sum" || rows.size > 0 || context.rangeOf(op.operands[0]!).lo < 0) return [];
    const elements = rowElements(op, context);
    const inner = { ...elements, form: scaleForm(composeForm(elements.form, term.map), term.factor) };
    return squaresWithin(inner, context);
  });
}

type FactRule = (op: Op, context: FactContext) => OrderFacts;

const rules: Readonly<Record<string, FactRule>> = {
  // max x ≥ x[j], min x ≤ x[j]
  "reduce-max": (op, context) => ({ atLeast: [rowElements(op, context)], atMost: [] }),
  "reduce-min": (op, context) => ({ atLeast: [], atMost: [rowElements(op, context)] }),
  // Σx = x[j] + the others
  "reduce-sum": (op, context) => {
    const elements = rowElements(op, context);
    const { lo, hi } = context.rangeOf(op.operands[0]!);
    const others = rowLength(op, context.module) - 1;
    const plus = (bound: number): readonly OrderFact[] =>
      moved(elements.form, others === 0 ? 0 : others * bound).map(({ form }) => ({ ...elements, form }));
    return others < 0 ? none : { atLeast: plus(lo), atMost: plus(hi) };
  },
  maximum: (op, context) => ({ atLeast: [0, 1].map((index) => fact(operandOf(op, index, context))), atMost: [] }),
  minimum: (op, context) => ({ atLeast: [], atMost: [0, 1].map((index) => fact(operandOf(op, index, context))) }),
  relu: (op, context) => clipped(op, 0, Infinity, context),
  clip: (op, context) => clipped(op, Number(op.attrs.lo ?? -Infinity), Number(op.attrs.hi ?? Infinity), context),
  abs: (op, context) => {
    const x = operandOf(op, 0, context);
    return { atLeast: [fact(x), fact(scaleForm(x, -1))], atMost: [] };
  },
  mul: product,
  sqrt: (op, context) => ({ atLeast: roots(op.operands[0]!, context), atMost: [] }),
};

/** What the operator that makes an atom says about its order to other values. */
export const orderFacts = (atom: ValueId, context: FactContext): OrderFacts => {
  const op = context.producer(atom);
  return op && Object.hasOwn(rules, op.name) ? rules[op.name]!(op, context) : none;
};
