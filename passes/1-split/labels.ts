import type { Label } from "../../ir/label.ts";
import { type Module, opsOf, type ValueId } from "../../ir/module.ts";
import { opDef, resultLabel, withDefaults } from "../../ir/registry.ts";

/** Labels of all values, propagated from the owners of inputs and params by the op tables. */
export function flowLabels(module: Module): ReadonlyMap<ValueId, Label> {
  const labels = new Map<ValueId, Label>();
  for (const id of [...module.inputs, ...Object.keys(module.params)]) labels.set(id, module.values[id]!.type.label);
  for (const op of opsOf(module)) {
    const def = opDef(op.name);
    const operands = op.operands.map((id) => labels.get(id)!);
    labels.set(op.result, resultLabel(def, operands, withDefaults(def, op.attrs)));
  }
  return labels;
}

/** Values that depend on an input; all others are functions of weights alone. */
export const inputDependent = (module: Module): ReadonlySet<ValueId> => reachedFrom(module, module.inputs);

/** These values, and all that depend on one of them. */
export function reachedFrom(module: Module, from: readonly ValueId[]): ReadonlySet<ValueId> {
  const reached = new Set(from);
  for (const op of opsOf(module)) if (op.operands.some((id) => reached.has(id))) reached.add(op.result);
  return reached;
}
