import type { Module, Op, ValueId } from "../../ir/module.ts";
import { opDef, withDefaults } from "../../ir/registry.ts";
import { isFixed } from "../../ir/type.ts";
import type { Fixed, Spec } from "../../runtime/protocols/kit/index.ts";

/** Description of a value for the runtime. Plain integers (indices) have scale 0. */
export function fixedOf(module: Module, id: ValueId, width?: number): Fixed {
  const { type, range } = module.values[id]!;
  const element = isFixed(type.element) ? type.element : { width: 32, scale: 0 };
  return {
    shape: type.shape,
    width: width ?? element.width,
    scale: element.scale,
    lo: range?.lo ?? 0,
    hi: range?.hi ?? 0,
  };
}

/** A revealed value is a plain number in the IR; in messages it has the form of the operand of the reveal. */
export const resultOf = (module: Module, op: Op, width?: number): Fixed =>
  fixedOf(module, op.name === "reveal" ? op.operands[0]! : op.result, width);

/** One execution of an op as plain data, at the current ring widths of the module. */
export function specOf(module: Module, op: Op): Spec {
  return {
    operands: op.operands.map((id) => fixedOf(module, id)),
    result: resultOf(module, op),
    attrs: { ...withDefaults(opDef(op.name), op.attrs), ...op.tuning },
  };
}
