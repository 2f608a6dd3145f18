import { type Module, type Op, opsOf, type Step, type ValueId } from "../../ir/module.ts";
import { roundsOf } from "../5-select/index.ts";
import type { Pass, SplitState } from "../pass.ts";

/**
 * Lets independent operators share rounds, by list scheduling. Ops without rounds run as soon as they can, one per step
 * in program order. Then all ready ops with rounds become one step, which runs in lockstep. A step never waits for an
 * op that another order would have had ready, so no schedule of whole steps has fewer steps.
 */
export function schedule(module: Module): Module {
  const defined = new Set<ValueId>([...module.inputs, ...Object.keys(module.params)]);
  let waiting = opsOf(module);
  const steps: Step[] = [];
  const isReady = (op: Op): boolean => op.operands.every((id) => defined.has(id));
  while (waiting.length > 0) {
    const free = waiting.filter((op) => isReady(op) && roundsOf(module, op) === 0);
    const ready = free.length > 0 ? free : waiting.filter(isReady);
    if (ready.length === 0) throw new Error(`module ${module.name} has a cycle`);
    if (free.length > 0) steps.push(...free.map((op) => ({ ops: [op] })));
    else steps.push({ ops: ready });
    for (const op of ready) defined.add(op.result);
    const taken = new Set(ready.map((op) => op.result));
    waiting = waiting.filter((op) => !taken.has(op.result));
  }
  return { ...module, stage: "schedule", steps };
}

export const schedulePass: Pass<SplitState> = {
  name: "schedule",
  requires: "select",
  ensures: "schedule",
  run: (state) => ({ ...state, module: schedule(state.module) }),
};
