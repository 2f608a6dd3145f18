import type { Module, Op, ValueId } from "../../ir/module.ts";
import { opDef, withDefaults } from "../../ir/registry.ts";
import { isFixed } from "../../ir/type.ts";
import type { Fixed, Spec } from "../../runtime/protocols/define.ts";

/** What the runtime is told of a value. Plain integers (indices) have scale 0. */
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

/** One execution of an op as plain data, at the ring widths that the module has now. */
export function specOf(module: Module, op: Op): Spec {
  return {
    operands: op.operands.map((id) => fixedOf(module, id)),
    result: fixedOf(module, op.result),
    attrs: withDefaults(opDef(op.name), op.attrs),
  };
}
