import type { Attrs, Op, ValueId } from "../../ir/module.ts";
import type { Tensor } from "../../ir/tensor.ts";
import type { Shape } from "../../ir/type.ts";
import { type Draft, publicScalar } from "../2-rewrite/draft.ts";

/** Formulas on secret values: each call adds an operator and names its result. */
export interface FormulaBuilder {
  readonly emit: (name: string, operands: readonly ValueId[], attrs?: Attrs) => ValueId;
  readonly shape: (x: ValueId) => Shape;
  /** A tensor that both parties know, under this name. */
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
  /** Σ x along an axis, which stays with extent 1. */
  readonly sum: (x: ValueId, axis?: number) => ValueId;
  /** Elements from start to end of an axis. */
  readonly slice: (x: ValueId, axis: number, start: number, end: number) => ValueId;
  /** Σ cs[k]·x^k by Horner's rule, the constant first. */
  readonly polynomial: (x: ValueId, cs: readonly number[]) => ValueId;
}

/** Formulas that stand for the result of `op`, and are named after it. */
export function createFormulaBuilder(op: Op, draft: Draft): FormulaBuilder {
  const emit: FormulaBuilder["emit"] = (name, operands, attrs = {}) =>
    draft.emit(name, operands, attrs, `${op.result}.${name}`);
  const shape = (x: ValueId): Shape => draft.type(x).shape;
  const number = (c: number): ValueId => publicScalar(draft, c);
  const add: FormulaBuilder["add"] = (x, y) => emit("add", [x, y]);
  const mul: FormulaBuilder["mul"] = (x, y) => emit("mul", [x, y]);
  const times: FormulaBuilder["scale"] = (x, c) => emit("mul", [x, number(c)]);
  const plus: FormulaBuilder["addConstant"] = (x, c) => emit("add", [x, number(c)]);
  return {
    emit,
    shape,
    param: (name, value) => draft.param(name, value, "public"),
    constant: number,
    add,
    sub: (x, y) => emit("sub", [x, y]),
    mul,
    square: (x) => emit("square", [x]),
    scale: times,
    addConstant: plus,
    subtractFrom: (c, x) => emit("sub", [number(c), x]),
    relu: (x) => emit("relu", [x]),
    less: (x, c) => emit("cast", [emit("compare", [x, number(c)], { kind: "less" })], { to: "f32" }),
    sum: (x, axis = -1) => emit("reduce-sum", [x], { axes: [axisOf(axis, shape(x))], keepdims: true }),
    slice: (x, axis, start, end) => {
      const full = shape(x);
      const at = axisOf(axis, full);
      return emit("slice", [x], {
        starts: full.map((_, k) => (k === at ? start : 0)),
        ends: full.map((extent, k) => (k === at ? end : extent)),
        steps: full.map(() => 1),
      });
    },
    polynomial: (x, cs) => {
      const [last, ...rest] = [...cs].reverse() as [number, ...number[]];
      const first = rest.length > 0 ? plus(times(x, last), rest[0]!) : undefined;
      if (first === undefined) throw new Error("a polynomial has at least two coefficients");
      return rest.slice(1).reduce((sum, c) => plus(mul(sum, x), c), first);
    },
  };
}

export const axisOf = (axis: number, shape: Shape): number => (axis < 0 ? axis + shape.length : axis);
