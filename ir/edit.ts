import { type Draft, produce } from "immer";
import { fail } from "./diagnostic.ts";
import { placeOf } from "./infer.ts";
import type { Module, Op, Step, ValueId } from "./module.ts";

/** One change of a module. A pass calls this once: what it does not touch stays the same object. */
export function edit(module: Module, recipe: (draft: Draft<Module>) => void): Module {
  return produce(module, (draft) => {
    recipe(draft);
  });
}

/** Lets every reader of one value, outputs included, read another. */
export function replaceUses(draft: Draft<Module>, from: ValueId, to: ValueId): void {
  for (const step of draft.steps) {
    for (const op of step.ops) {
      if (op.operands.includes(from)) op.operands = op.operands.map((id) => (id === from ? to : id));
    }
  }
  if (draft.outputs.includes(from)) draft.outputs = draft.outputs.map((id) => (id === from ? to : id));
}

/** Gives a value another name, everywhere. */
export function renameValue(draft: Draft<Module>, from: ValueId, to: ValueId): void {
  if (from === to) return;
  if (Object.hasOwn(draft.values, to)) throw new Error(`cannot rename %${from}: there is a %${to} already`);
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

const withSteps = (module: Module, steps: readonly Step[]): Module => ({ ...module, steps });

/** Each op becomes the ops that the function gives, in its step; values of new results are the caller's to add. */
export function mapOps(module: Module, change: (op: Op) => readonly Op[] | Op): Module {
  const steps = module.steps.map((step) => ({ ops: step.ops.flatMap((op) => change(op)) }));
  return withSteps(
    module,
    steps.filter((step) => step.ops.length > 0),
  );
}

/** Without the ops, parameters and values that no output depends on; inputs stay: they are the interface. */
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

/** The ops in an order in which operands come first, as near to the given order as that allows. */
export function topologicalOrder(ops: readonly Op[]): readonly Op[] {
  const definers = new Map(ops.map((op) => [op.result, op]));
  const state = new Map<Op, "open" | "done">();
  const order: Op[] = [];
  // A stack of its own: graphs are deeper than the call stack.
  for (const root of ops) {
    const stack: Op[] = [root];
    while (stack.length > 0) {
      const op = stack.at(-1)!;
      const before = state.get(op) ? [] : op.operands.flatMap((id) => definers.get(id) ?? []);
      const waiting = before.filter((definer) => state.get(definer) !== "done");
      if (state.get(op) === undefined && waiting.length > 0) {
        const again = waiting.find((definer) => state.get(definer) === "open");
        if (again || waiting.includes(op)) {
          fail({ code: "MRL0311", message: `expected no cycle, found one through %${op.result}`, at: placeOf(op) });
        }
        state.set(op, "open");
        stack.push(...waiting.reverse());
        continue;
      }
      stack.pop();
      if (state.get(op) !== "done") order.push(op);
      state.set(op, "done");
    }
  }
  return order;
}
