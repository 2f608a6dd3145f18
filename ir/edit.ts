import { type Draft, produce } from "immer";
import type { Module, Step, ValueId } from "./module.ts";

/** Applies one change to a module. Parts that the recipe does not touch stay the same objects. */
export function edit(module: Module, recipe: (draft: Draft<Module>) => void): Module {
  return produce(module, (draft) => {
    recipe(draft);
  });
}

/** Makes every reader of `from`, outputs included, read `to`. */
export function replaceUses(draft: Draft<Module>, from: ValueId, to: ValueId): void {
  for (const step of draft.steps) {
    for (const op of step.ops) {
      if (op.operands.includes(from)) op.operands = op.operands.map((id) => (id === from ? to : id));
    }
  }
  if (draft.outputs.includes(from)) draft.outputs = draft.outputs.map((id) => (id === from ? to : id));
}

/** Renames a value everywhere. Throws if `to` exists. */
export function renameValue(draft: Draft<Module>, from: ValueId, to: ValueId): void {
  if (from === to) return;
  if (Object.hasOwn(draft.values, to)) throw new Error(`cannot rename %${from} to %${to}: the name is in use`);
  replaceUses(draft, from, to);
  for (const step of draft.steps) for (const op of step.ops) if (op.result === from) op.result = to;
  draft.inputs = draft.inputs.map((id) => (id === from ? to : id));
  // Rebuilt rather than moved: the order of parameters is part of the text.
  draft.params = Object.fromEntries(
    Object.entries(draft.params).map(([id, weight]) => [id === from ? to : id, weight]),
  );
  draft.values[to] = draft.values[from]!;
  delete draft.values[from];
}

/** Removes the ops, parameters and values that no output depends on. Inputs stay: they are the interface. */
export function removeDead(module: Module): Module {
  const live = new Set<ValueId>(module.outputs);
  const steps: Step[] = [];
  for (const step of [...module.steps].reverse()) {
    const ops = step.ops.filter((op) => live.has(op.result));
    for (const op of ops) for (const id of op.operands) live.add(id);
    if (ops.length > 0) steps.push(ops.length === step.ops.length ? step : { ops });
  }
  for (const id of module.inputs) live.add(id);
  const alive = ([id]: readonly [string, unknown]): boolean => live.has(id);
  return {
    ...module,
    steps: steps.reverse(),
    params: Object.fromEntries(Object.entries(module.params).filter(alive)),
    values: Object.fromEntries(Object.entries(module.values).filter(alive)),
  };
}
