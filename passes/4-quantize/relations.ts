import type { Op, ValueId } from "../../ir/module.ts";
import { typeOf } from "../../ir/module.ts";
import type { Interval } from "../../ir/type.ts";
import {
  along,
  bindAxes,
  composeForm,
  firstRowAxis,
  type Index,
  type LinearForm,
  scaleForm,
  sumForms,
  type Term,
  termKey,
} from "./linear-form.ts";
import { type FactContext, type OrderFact, orderFacts, rowElements, rowLength } from "./order-facts.ts";

/**
 * Bounds of linear forms from the order of their atoms (docs/range-analysis.md). An upper bound of F stays one where a
 * term is replaced by something no smaller: −max(x) by −x[j], a sum of n terms by n times the largest of them. A
 * replacement is tried where it may cancel another term; the least bound counts.
 */
export interface Relations {
  readonly bounds: (form: LinearForm) => Interval;
}

/** Replacements in a row, and bounds that one question may ask for. Fewer give wider bounds, never wrong ones. */
const maxDepth = 5;
const maxQuestions = 48;
/** Atoms that a chain of facts may reach before it counts as reaching none. */
const maxReached = 64;

/** Functions that keep the order of their operands. */
export const increasing: ReadonlySet<string> = new Set([
  ...["exp", "log", "sqrt", "sigmoid", "tanh", "relu", "erf", "clip", "floor", "ceil"],
]);
/** Functions that average or sum a row. */
const averages: ReadonlySet<string> = new Set(["reduce-sum", "reduce-mean"]);

interface Query {
  readonly context: FactContext;
  readonly reached: (atom: ValueId) => ReadonlySet<ValueId>;
  readonly facts: (atom: ValueId) => ReturnType<typeof orderFacts>;
  questions: number;
  /** The next axis of rows that no fact has. */
  rowAxes: number;
}

export function createRelations(context: FactContext): Relations {
  const facts = memoized((atom: ValueId) => orderFacts(atom, context));
  const reached = memoized((atom: ValueId): ReadonlySet<ValueId> => reach(atom, context, facts, reached));
  const ask = (form: LinearForm): number =>
    upper(form, maxDepth, { context, reached, facts, questions: 0, rowAxes: firstRowAxis });
  return {
    bounds: (form) => {
      const plain = context.plainBounds(form);
      if (!isPromising(form, reached)) return plain;
      const away = rounding(form, context);
      const [hi, minusLo] = [ask(form), ask(scaleForm(form, -1))].map((end) => (end === 0 ? 0 : end + away));
      return { lo: Math.max(plain.lo, 0 - minusLo!), hi: Math.min(plain.hi, hi!) };
    },
  };
}

/** Bounds hold on real numbers; those who check them compute with 53 bits. */
function rounding({ constant, terms }: LinearForm, { plainBounds }: FactContext): number {
  const sizes = terms.map((term) => plainBounds({ constant: 0, terms: [term] })).flatMap(({ lo, hi }) => [lo, hi]);
  const total = sizes.reduce((sum, size) => sum + Math.abs(size), Math.abs(constant));
  return Number.isFinite(total) ? total * 2 ** -40 : 0;
}

function memoized<T>(f: (key: ValueId) => T): (key: ValueId) => T {
  const known = new Map<ValueId, T>();
  return (key) => {
    if (!known.has(key)) known.set(key, f(key));
    return known.get(key)!;
  };
}

/** Atoms that replacements of an atom lead to. */
function reach(
  atom: ValueId,
  context: FactContext,
  facts: Query["facts"],
  reached: Query["reached"],
): ReadonlySet<ValueId> {
  const op = context.producer(atom);
  const { atLeast, atMost } = facts(atom);
  const forms = [...atLeast, ...atMost].map(({ form }) => form);
  if (op && (averages.has(op.name) || increasing.has(op.name))) forms.push(context.formOf(op.operands[0]!));
  const next = new Set(forms.flatMap(({ terms }) => terms.map((term) => term.atom)));
  next.delete(atom);
  const all = new Set([atom, ...[...next].flatMap((id) => [...reached(id)])]);
  return all.size > maxReached ? new Set([atom]) : all;
}

/** Whether two terms may meet. */
function isPromising({ terms }: LinearForm, reached: Query["reached"]): boolean {
  const sets = terms.map(({ atom }) => reached(atom));
  return sets.some((set, k) => sets.slice(k + 1).some((other) => [...set].some((atom) => other.has(atom))));
}

const meets = (term: Term, others: readonly Term[], { reached }: Query): boolean =>
  others.some((other) => [...reached(term.atom)].some((atom) => reached(other.atom).has(atom)));

/** An upper bound of a form over all its elements, and over all positions of rows. */
function upper(form: LinearForm, depth: number, query: Query): number {
  const plain = query.context.plainBounds(form).hi;
  if (depth === 0 || form.terms.length < 2 || query.questions++ > maxQuestions) return plain;
  const replaced = [
    ...form.terms.flatMap((term) => replacements(form, term, query)),
    ...averagedRows(form, query),
    ...withoutOrderedPair(form, depth, query),
  ];
  return replaced.reduce((least, next) => Math.min(least, upper(next, depth - 1, query)), plain);
}

const without = ({ constant, terms }: LinearForm, ...gone: readonly Term[]): LinearForm => ({
  constant,
  terms: terms.filter((term) => !gone.includes(term)),
});

/** The form with one term replaced by what it is at most, at each position of a row that another term suggests. */
function replacements(form: LinearForm, term: Term, query: Query): readonly LinearForm[] {
  const rest = without(form, term);
  if (term.squared || !meets(term, rest.terms, query)) return [];
  const { atLeast, atMost } = query.facts(term.atom);
  return (term.factor < 0 ? atLeast : atMost).flatMap((fact) => {
    const named = withNewRows(fact, query);
    const bound = scaleForm(composeForm(named.form, term.map), term.factor);
    if (named.rows.size === 0) return [sumForms(rest, bound)];
    return bindings(bound, named.rows, rest.terms, query).map((at) => sumForms(rest, bindAxes(bound, at)));
  });
}

/** The fact with axes of rows that no other has. */
function withNewRows({ form, rows }: OrderFact, query: Query): OrderFact {
  const names = new Map([...rows.keys()].map((axis) => [axis, query.rowAxes++]));
  return {
    form: bindAxes(form, (axis) => along(names.get(axis) ?? axis)),
    rows: new Map([...rows].map(([axis, size]) => [names.get(axis)!, size])),
  };
}

/** Positions for axes of rows at which a term of the form becomes one of the others. */
function bindings(
  { terms }: LinearForm,
  rows: OrderFact["rows"],
  others: readonly Term[],
  { context }: Query,
): readonly ((axis: number) => Index)[] {
  const found = new Map<string, ReadonlyMap<number, Index>>();
  for (const term of terms) {
    const { shape } = typeOf(context.module, term.atom);
    for (const other of others) {
      if (other.atom !== term.atom || other.squared !== term.squared) continue;
      const bound = new Map<number, Index>();
      const fits = term.map.every((index, axis) => {
        const wanted = other.map[axis]!;
        const free = index.axis !== undefined && rows.has(index.axis);
        // Only a row along a whole axis of the atom has every position that the other term may name.
        const whole = free && index.start === 0 && index.step === 1 && rows.get(index.axis!) === shape[axis];
        const known = whole ? (bound.get(index.axis!) ?? wanted) : index;
        if (whole) bound.set(index.axis!, known);
        return known.axis === wanted.axis && known.start === wanted.start && known.step === wanted.step;
      });
      if (fits) found.set(JSON.stringify([...bound]), bound);
    }
  }
  return [...found.values()].map((bound) => (axis) => bound.get(axis) ?? along(axis));
}

/**
 * Σ_j f(j) + G ≤ n · max_j f(j) + G, and mean_j f(j) + G ≤ max_j f(j) + G: all rows of one length at once, so that what
 * cancels in each element cancels in the sum.
 */
function averagedRows(form: LinearForm, query: Query): readonly LinearForm[] {
  const { context } = query;
  const rows = form.terms.flatMap((term) => {
    const op = term.squared ? undefined : context.producer(term.atom);
    return op && averages.has(op.name) ? [{ term, op }] : [];
  });
  const sizesOf = (op: Op): string => [...rowElements(op, context).rows.values()].join("×");
  return [...new Set(rows.map(({ op }) => sizesOf(op)))].flatMap((sizes) => {
    const same = rows.filter(({ op }) => sizesOf(op) === sizes);
    if (same.length === 1 && !meets(same[0]!.term, without(form, same[0]!.term).terms, query)) return [];
    if (same.some(({ op }) => rowLength(op, context.module) === 0)) return [];
    const first = query.rowAxes;
    query.rowAxes += rowElements(same[0]!.op, context).rows.size;
    const elements = same.map(({ term, op }) => {
      const { form: element } = rowElements(op, context);
      const named = bindAxes(element, (axis) => along(axis < firstRowAxis ? axis : first + axis - firstRowAxis));
      const weight = op.name === "reduce-sum" ? rowLength(op, context.module) : 1;
      return scaleForm(composeForm(named, term.map), term.factor * weight);
    });
    return [sumForms(without(form, ...same.map(({ term }) => term)), ...elements)];
  });
}

/** f(a) − f(b) ≤ 0 for an increasing f where a ≤ b: as much of both as they have in common goes. */
function withoutOrderedPair(form: LinearForm, depth: number, query: Query): readonly LinearForm[] {
  const { context } = query;
  const functions = form.terms.flatMap((term) => {
    const op = term.squared ? undefined : context.producer(term.atom);
    return op && increasing.has(op.name) ? [{ term, op, key: `${op.name} ${JSON.stringify(op.attrs)}` }] : [];
  });
  return functions
    .filter(({ term }) => term.factor > 0)
    .flatMap((more) =>
      functions
        .filter(({ term, key }) => term.factor < 0 && key === more.key && termKey(term) !== termKey(more.term))
        .flatMap((less) => {
          const [a, b] = [more, less].map(({ op, term }) => composeForm(context.formOf(op.operands[0]!), term.map));
          if (upper(sumForms(a!, scaleForm(b!, -1)), depth - 1, query) > 0) return [];
          const common = Math.min(more.term.factor, -less.term.factor);
          const part = (term: Term, factor: number): LinearForm => ({ constant: 0, terms: [{ ...term, factor }] });
          return [sumForms(form, part(more.term, -common), part(less.term, common))];
        }),
    );
}
