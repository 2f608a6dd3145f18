import { type Attrs, type Module, type Op, typeOf, type ValueId } from "../../ir/module.ts";
import { axesOf } from "../../ir/ops/helpers/shapes.ts";
import type { Shape } from "../../ir/type.ts";

/**
 * Position on one axis of an atom: start + step · (position on an axis of the value). Without an axis: start. Axes of
 * the value count from 0; those from `firstRowAxis` on stand for any position of a reduced row.
 */
export interface Index {
  readonly axis?: number;
  readonly start: number;
  readonly step: number;
}

/** Where in an atom each element of a value looks, by the atom's axes. */
export type IndexMap = readonly Index[];

/** factor · atom, or factor · atom², elementwise at the positions of the map. */
export interface Term {
  readonly factor: number;
  readonly atom: ValueId;
  readonly squared?: true;
  readonly map: IndexMap;
}

/** Element i of a value is constant + Σ factor · atom[map(i)]: exactly, on real numbers. */
export interface LinearForm {
  readonly constant: number;
  readonly terms: readonly Term[];
}

/** Longer sums become atoms of their own: residual streams would collect terms without end. */
const maxTerms = 8;

/** No tensor has as many axes. */
export const firstRowAxis = 1000;

const origin: Index = { start: 0, step: 0 };
export const along = (axis: number): Index => ({ axis, start: 0, step: 1 });

/** Every axis where it is; on an axis of size 1 there is one position. */
export const identityMap = (shape: Shape): IndexMap => shape.map((size, axis) => (size === 1 ? origin : along(axis)));

export const constantForm = (constant: number): LinearForm => ({ constant, terms: [] });
export const atomForm = (atom: ValueId, shape: Shape): LinearForm => ({
  constant: 0,
  terms: [{ factor: 1, atom, map: identityMap(shape) }],
});

const indexKey = ({ axis, start, step }: Index): string => `${axis ?? ""}:${start}:${step}`;
/** Keys of terms: sums ask for those of the same terms again and again. */
const keys = new WeakMap<Term, string>();

/** The same for the same atom at the same positions. */
export function termKey(term: Term): string {
  let key = keys.get(term);
  if (key === undefined) {
    const { atom, squared, map } = term;
    key = `${atom}${squared ? "²" : ""}@${map.map(indexKey).join(",")}`;
    keys.set(term, key);
  }
  return key;
}

/** Σ of forms, with equal terms merged and those of factor 0 dropped. */
export function sumForms(...forms: readonly LinearForm[]): LinearForm {
  const merged = new Map<string, Term>();
  let sum = 0;
  for (const { constant, terms } of forms) {
    sum += constant;
    for (const term of terms) {
      const key = termKey(term);
      const known = merged.get(key);
      const factor = (known?.factor ?? 0) + term.factor;
      if (factor === 0) merged.delete(key);
      else merged.set(key, known ? { ...term, factor } : term);
    }
  }
  return { constant: sum, terms: [...merged.values()] };
}

export const scaleForm = ({ constant, terms }: LinearForm, by: number): LinearForm =>
  by === 0
    ? constantForm(0)
    : { constant: constant * by, terms: terms.map((term) => ({ ...term, factor: term.factor * by })) };

/** The form with other positions in the place of some axes. */
export function bindAxes({ constant, terms }: LinearForm, at: (axis: number) => Index): LinearForm {
  return { constant, terms: terms.map((term) => ({ ...term, map: term.map.map((index) => composed(index, at)) })) };
}

/** The form of x[map(i)] for a form of x; axes of rows stay. */
export const composeForm = (form: LinearForm, map: IndexMap): LinearForm =>
  bindAxes(form, (axis) => (axis < firstRowAxis ? map[axis]! : along(axis)));

function composed({ axis, start, step }: Index, map: (axis: number) => Index): Index {
  if (axis === undefined) return { start, step: 0 };
  const inner = map(axis);
  const at = start + step * inner.start;
  return inner.axis === undefined || inner.step === 0
    ? { start: at, step: 0 }
    : { axis: inner.axis, start: at, step: step * inner.step };
}

/** Where in an operand of shape `from` each element of a result of shape `to` lies, by numpy's broadcasting. */
export const broadcastMap = (from: Shape, to: Shape): IndexMap =>
  from.map((size, axis) => (size === 1 ? origin : along(axis + to.length - from.length)));

/** The map of a reshape that only adds or drops axes of size 1; undefined for any other. */
function unitReshapeMap(from: Shape, to: Shape): IndexMap | undefined {
  const wide = (shape: Shape): readonly number[] => [...shape.keys()].filter((axis) => shape[axis] !== 1);
  const [before, after] = [wide(from), wide(to)];
  const same = before.length === after.length && before.every((axis, k) => from[axis] === to[after[k]!]);
  return same ? from.map((size, axis) => (size === 1 ? origin : along(after[before.indexOf(axis)]!))) : undefined;
}

type LayoutRule = (from: Shape, to: Shape, attrs: Attrs) => IndexMap | undefined;

/** Operators that only move elements: where in the operand each element of the result lies. */
const layouts: Readonly<Record<string, LayoutRule>> = {
  share: (from) => identityMap(from),
  reveal: (from) => identityMap(from),
  reshape: unitReshapeMap,
  expand: broadcastMap,
  transpose: (from, _to, { perm }) =>
    from.map((size, axis) => (size === 1 ? origin : along((perm as readonly number[]).indexOf(axis)))),
  slice: (from, to, attrs) => {
    const [starts, steps] = [attrs.starts, attrs.steps] as readonly (readonly number[])[];
    return from.map((_, axis) =>
      to[axis] === 1 ? { start: starts![axis]!, step: 0 } : { axis, start: starts![axis]!, step: steps![axis]! },
    );
  },
};

/** Where in its operand each element of the result lies, if the op only moves elements. */
export function layoutMap(op: Op, module: Module): IndexMap | undefined {
  const rule = Object.hasOwn(layouts, op.name) ? layouts[op.name] : undefined;
  if (!rule) return undefined;
  const [from, to] = [op.operands[0]!, op.result].map((id) => typeOf(module, id).shape) as [Shape, Shape];
  return rule(from, to, op.attrs);
}

/** Forms of values known so far, of which a new one is made. */
export interface FormContext {
  readonly module: Module;
  readonly formOf: (id: ValueId) => LinearForm;
  /** The number that every element of a public constant equals. */
  readonly uniform: (id: ValueId) => number | undefined;
}

type FormRule = (op: Op, context: FormContext) => LinearForm | undefined;

const operandForm = (op: Op, index: number, { module, formOf }: FormContext): LinearForm => {
  const [from, to] = [op.operands[index]!, op.result].map((id) => typeOf(module, id).shape) as [Shape, Shape];
  return composeForm(formOf(op.operands[index]!), broadcastMap(from, to));
};

const rules: Readonly<Record<string, FormRule>> = {
  add: (op, context) => sumForms(operandForm(op, 0, context), operandForm(op, 1, context)),
  sub: (op, context) => sumForms(operandForm(op, 0, context), scaleForm(operandForm(op, 1, context), -1)),
  neg: (op, context) => scaleForm(context.formOf(op.operands[0]!), -1),
  mul: (op, context) => {
    const at = op.operands.findIndex((id) => context.uniform(id) !== undefined);
    if (at >= 0) return scaleForm(operandForm(op, 1 - at, context), context.uniform(op.operands[at]!)!);
    const [x, y] = [0, 1].map((index) => operandForm(op, index, context)) as [LinearForm, LinearForm];
    return (
      productOfEquals(x, y) ?? (op.operands[0] === op.operands[1] ? squareOf(op.operands[0]!, context) : undefined)
    );
  },
  square: (op, context) => squareOf(op.operands[0]!, context),
  div: (op, context) => {
    const by = context.uniform(op.operands[1]!);
    const isReal = typeOf(context.module, op.result).element.kind === "f32";
    return by && isReal ? scaleForm(operandForm(op, 0, context), 1 / by) : undefined;
  },
  cast: (op, context) => {
    const { kind } = typeOf(context.module, op.operands[0]!).element;
    const same = op.attrs.to === "f32" || op.attrs.to === kind || (op.attrs.to === "i64" && kind === "bool");
    return same ? context.formOf(op.operands[0]!) : undefined;
  },
};

/** (c·a)·(c'·a) = c·c'·a² for one atom at the same positions. */
function productOfEquals(x: LinearForm, y: LinearForm): LinearForm | undefined {
  const [a, b] = [x.terms[0], y.terms[0]];
  if (x.terms.length !== 1 || y.terms.length !== 1 || x.constant !== 0 || y.constant !== 0) return undefined;
  if (a!.squared || termKey(a!) !== termKey(b!)) return undefined;
  return { constant: 0, terms: [{ ...a!, factor: a!.factor * b!.factor, squared: true }] };
}

/** x², of the atom behind x if there is one, else of x as an atom. */
export function squareOf(id: ValueId, { module, formOf }: FormContext): LinearForm {
  const form = formOf(id);
  const [own] = atomForm(id, typeOf(module, id).shape).terms;
  return productOfEquals(form, form) ?? { constant: 0, terms: [{ ...own!, squared: true }] };
}

/** The result as a sum of atoms; an atom of its own where no rule applies. */
export function formOfResult(op: Op, context: FormContext): LinearForm {
  const { shape } = typeOf(context.module, op.result);
  const map = layoutMap(op, context.module);
  const form = map
    ? composeForm(context.formOf(op.operands[0]!), map)
    : Object.hasOwn(rules, op.name)
      ? rules[op.name]!(op, context)
      : undefined;
  return form && form.terms.length <= maxTerms && Number.isFinite(form.constant) ? form : atomForm(op.result, shape);
}

/** Axes that a reduction removes or keeps with size 1. */
export const reducedAxes = (op: Op, module: Module): readonly number[] =>
  axesOf(op.attrs.axes as readonly number[], typeOf(module, op.operands[0]!).shape.length);

/**
 * Where in the operand of a reduction element i of its result looks: at its own position on the axes that stay, at
 * `row(axis)` on those that are reduced.
 */
export function reductionMap(op: Op, module: Module, row: (axis: number) => Index): IndexMap {
  const { shape } = typeOf(module, op.operands[0]!);
  const gone = reducedAxes(op, module);
  let kept = 0;
  return shape.map((size, axis) => {
    const reduced = gone.includes(axis);
    const at = op.attrs.keepdims === false ? kept : axis;
    if (!reduced) kept++;
    if (size === 1) return origin;
    return reduced ? row(axis) : along(at);
  });
}
