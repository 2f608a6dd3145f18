import { type Op, typeOf, type ValueId } from "../../ir/module.ts";
import { opDef, resultRange } from "../../ir/registry.ts";
import type { Interval } from "../../ir/type.ts";
import {
  composeForm,
  firstRowAxis,
  type LinearForm,
  layoutMap,
  scaleForm,
  sumForms,
  type Term,
} from "./linear-form.ts";
import { type FactContext, rowElements, rowLength } from "./order-facts.ts";
import { increasing } from "./relations.ts";

/** The largest element of each row along these axes of a value lies in this range. */
export interface RowMaximum {
  readonly axes: readonly number[];
  readonly range: Interval;
}

/**
 * What is known about the largest elements of rows. x − max(x) has the maximum 0 in each row, and so e^(x − max(x)) has
 * the maximum 1: a sum of n of them lies in [1, n].
 */
export function rowMaximaOf(
  op: Op,
  known: (id: ValueId) => readonly RowMaximum[],
  context: FactContext,
): readonly RowMaximum[] {
  const form = context.formOf(op.result);
  const centred = form.terms.flatMap((term) => centredRows(form, term, op.result, context));
  if (centred.length > 0) return centred;
  const [x] = op.operands as [ValueId];
  if (increasing.has(op.name)) {
    const def = opDef(op.name);
    const shapes = [typeOf(context.module, x).shape];
    return known(x).map(({ axes, range }) => ({ axes, range: resultRange(def, [range], op.attrs, shapes) }));
  }
  return layoutMap(op, context.module) ? moved(op, known(x), context) : scaled(form, op, known, context);
}

/** c·(x − max x) + d, and c·f + d for a value f with known rows and c > 0. */
function centredRows(form: LinearForm, most: Term, result: ValueId, context: FactContext): readonly RowMaximum[] {
  const op = context.producer(most.atom);
  if (op?.name !== "reduce-max" || most.squared || most.factor >= 0) return [];
  const elements = rowElements(op, context);
  const wanted = scaleForm(composeForm(elements.form, most.map), -most.factor);
  const rest = sumForms({ ...form, constant: 0 }, { constant: 0, terms: [{ ...most, factor: -most.factor }] });
  const axes = matchedRows(wanted, rest, elements.rows);
  const { shape } = typeOf(context.module, result);
  const isWhole = axes && [...axes].every(([row, axis]) => shape[axis] === elements.rows.get(row));
  if (!axes || !isWhole || most.map.some(({ axis }) => axis !== undefined && [...axes.values()].includes(axis)))
    return [];
  const value = form.constant - wanted.constant;
  return [{ axes: [...axes.values()], range: { lo: value, hi: value } }];
}

/** The axis of the value for each axis of rows, if the two forms are equal with them; axes of size 1 are in no map. */
function matchedRows(
  wanted: LinearForm,
  found: LinearForm,
  rows: ReadonlyMap<number, number>,
): ReadonlyMap<number, number> | undefined {
  if (wanted.terms.length !== found.terms.length || wanted.terms.length === 0) return undefined;
  const axes = new Map<number, number>();
  const isMatched = wanted.terms.every((term) =>
    found.terms.some((other) => {
      if (other.atom !== term.atom || other.squared !== term.squared || other.factor !== term.factor) return false;
      const bound = new Map(axes);
      const fits = term.map.every((index, at) => {
        const there = other.map[at]!;
        if (index.axis === undefined || !rows.has(index.axis))
          return index.axis === there.axis && index.start === there.start && index.step === there.step;
        const plain = there.axis !== undefined && there.axis < firstRowAxis;
        if (!plain || index.start !== there.start || index.step !== there.step) return false;
        if (bound.has(index.axis)) return bound.get(index.axis) === there.axis;
        bound.set(index.axis, there.axis!);
        return true;
      });
      if (fits) for (const [row, axis] of bound) axes.set(row, axis);
      return fits;
    }),
  );
  const wide = [...rows].filter(([, size]) => size > 1).map(([row]) => row);
  const isOneToOne = new Set(axes.values()).size === axes.size;
  return isMatched && isOneToOne && wide.every((row) => axes.has(row)) ? axes : undefined;
}

/** Rows of a value whose elements move: those whose axes stay whole. */
function moved(op: Op, known: readonly RowMaximum[], { module }: FactContext): readonly RowMaximum[] {
  const map = layoutMap(op, module)!;
  const [from, to] = [op.operands[0]!, op.result].map((id) => typeOf(module, id).shape);
  return known.flatMap(({ axes, range }) => {
    const next = axes.map((axis) => {
      const { axis: there, start, step } = map[axis]!;
      return there !== undefined && start === 0 && step === 1 && from![axis] === to![there] ? there : undefined;
    });
    return next.includes(undefined) ? [] : [{ axes: next as number[], range }];
  });
}

/** c·f + d with c > 0. */
function scaled(
  form: LinearForm,
  op: Op,
  known: (id: ValueId) => readonly RowMaximum[],
  { module }: FactContext,
): readonly RowMaximum[] {
  const [only] = form.terms;
  if (form.terms.length !== 1 || only!.squared || only!.factor <= 0 || only!.atom === op.result) return [];
  const shape = typeOf(module, only!.atom).shape;
  const to = typeOf(module, op.result).shape;
  return known(only!.atom).flatMap(({ axes, range }) => {
    const next = axes.map((axis) => {
      const { axis: there, start, step } = only!.map[axis]!;
      return there !== undefined && start === 0 && step === 1 && shape[axis] === to[there] ? there : undefined;
    });
    const at = (end: number): number => form.constant + only!.factor * end;
    return next.includes(undefined) ? [] : [{ axes: next as number[], range: { lo: at(range.lo), hi: at(range.hi) } }];
  });
}

/** A sum, a mean or a maximum over rows of which the largest elements are known. */
export function reducedRowBounds(op: Op, known: readonly RowMaximum[], { module, rangeOf }: FactContext): Interval {
  const unknown = { lo: -Infinity, hi: Infinity };
  if (!reductions.has(op.name)) return unknown;
  const { shape } = typeOf(module, op.operands[0]!);
  const length = rowLength(op, module);
  const { lo } = rangeOf(op.operands[0]!);
  const reduced = new Set((op.attrs.axes as readonly number[]).map((axis) => (axis < 0 ? axis + shape.length : axis)));
  return known
    .filter(({ axes }) => axes.every((axis) => reduced.has(axis)))
    .map(({ axes, range }): Interval => {
      if (op.name === "reduce-max") return range;
      const rows = length / axes.reduce((product, axis) => product * shape[axis]!, 1);
      // One element of each row is its largest; all others are at least the least.
      const sum = { lo: length * lo + rows * Math.max(0, range.lo - lo), hi: length * range.hi };
      return op.name === "reduce-mean" ? { lo: sum.lo / length, hi: sum.hi / length } : sum;
    })
    .reduce((a, b) => ({ lo: Math.max(a.lo, b.lo), hi: Math.min(a.hi, b.hi) }), unknown);
}

const reductions: ReadonlySet<string> = new Set(["reduce-sum", "reduce-mean", "reduce-max"]);
