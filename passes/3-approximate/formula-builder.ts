import type { Attrs, Op, ValueId } from "../../ir/module.ts";
import type { Tensor } from "../../ir/tensor.ts";
import type { Shape } from "../../ir/type.ts";
import { type Draft, publicScalar } from "../2-rewrite/index.ts";

/** Formulas on secret values: each call adds an operator and returns the name of its result. */
export interface FormulaBuilder {
  readonly emit: (name: string, operands: readonly ValueId[], attrs?: Attrs) => ValueId;
  readonly shape: (x: ValueId) => Shape;
  /** A public tensor under this name. */
  readonly param: (name: string, value: Tensor) => ValueId;
  readonly constant: (c: number) => ValueId;
  readonly add: (x: ValueId, y: ValueId) => ValueId;
  readonly sub: (x: ValueId, y: ValueId) => ValueId;
  readonly mul: (x: ValueId, y: ValueId) => ValueId;
  readonly square: (x: ValueId) => ValueId;
  /** c·x */
  readonly scale: (x: ValueId, c: number) => ValueId;
  /** x + c */
  readonly addConstant: (x: ValueId, c: number) => ValueId;
  /** c − x */
  readonly subtractFrom: (c: number, x: ValueId) => ValueId;
  readonly relu: (x: ValueId) => ValueId;
  /** 1 where x < c, else 0: a number. */
  readonly less: (x: ValueId, c: number) => ValueId;
  /** Σ x along an axis, which stays with size 1. */
  readonly sum: (x: ValueId, axis?: number) => ValueId;
  /** Elements from start to end of an axis. */
  readonly slice: (x: ValueId, axis: number, start: number, end: number) => ValueId;
  /** Σ cs[k]·x^k by Horner's rule, the constant first. */
  readonly polynomial: (x: ValueId, cs: readonly number[]) => ValueId;
}

/** Formulas that replace the result of `op`; values are named after it. */
export function createFormulaBuilder(op: Op, draft: Draft): FormulaBuilder {
  const emit: FormulaBuilder["emit"] = (name, operands, attrs = {}) =>
    draft.emit(name, operands, attrs, `${op.result}.${name}`);
  const shape = (x: ValueId): Shape => draft.type(x).shape;
  const constant = (c: number): ValueId => publicScalar(draft, c);
  const add: FormulaBuilder["add"] = (x, y) => emit("add", [x, y]);
  const mul: FormulaBuilder["mul"] = (x, y) => emit("mul", [x, y]);
  const scale: FormulaBuilder["scale"] = (x, c) => emit("mul", [x, constant(c)]);
  const addConstant: FormulaBuilder["addConstant"] = (x, c) => emit("add", [x, constant(c)]);
  return {
    emit,
    shape,
    param: (name, value) => draft.param(`constant ${name}`, value, "public"),
    constant,
    add,
    sub: (x, y) => emit("sub", [x, y]),
    mul,
    square: (x) => emit("square", [x]),
    scale,
    addConstant,
    subtractFrom: (c, x) => emit("sub", [constant(c), x]),
    relu: (x) => emit("relu", [x]),
    less: (x, c) => emit("cast", [emit("compare", [x, constant(c)], { kind: "less" })], { to: "f32" }),
    sum: (x, axis = -1) => emit("reduce-sum", [x], { axes: [axisOf(axis, shape(x))], keepdims: true }),
    slice: (x, axis, start, end) => {
      const full = shape(x);
      const at = axisOf(axis, full);
      return emit("slice", [x], {
        starts: full.map((_, k) => (k === at ? start : 0)),
        ends: full.map((size, k) => (k === at ? end : size)),
        steps: full.map(() => 1),
      });
    },
    polynomial: (x, cs) => {
      const [last, ...rest] = [...cs].reverse() as [number, ...number[]];
      const first = rest.length > 0 ? addConstant(scale(x, last), rest[0]!) : undefined;
      if (first === undefined) throw new Error("expected at least two coefficients of a polynomial");
      return rest.slice(1).reduce((sum, c) => addConstant(mul(sum, x), c), first);
    },
  };
}

export const axisOf = (axis: number, shape: Shape): number => (axis < 0 ? axis + shape.length : axis);
