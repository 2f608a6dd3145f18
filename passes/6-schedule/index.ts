import { type Module, opsOf, type Step, type ValueId } from "../../ir/module.ts";
import { roundsOf } from "../5-select/index.ts";
import type { Pass, SplitState } from "../pass.ts";

/**
 * Lets independent operators share rounds, by list scheduling. Ops without rounds run as soon as they can, one per step
 * in program order. Then all ready ops with rounds become one step, which runs in lockstep. A step never waits for an
 * op that another order would have had ready, so no schedule of whole steps has fewer steps.
 */
export function schedule(module: Module): Module {
  const defined = new Set<ValueId>([...module.inputs, ...Object.keys(module.params)]);
  const ops = opsOf(module);
  /** Operands of each op that are not computed yet, and the ops that wait for a value, by their places. */
  const missing = ops.map(({ operands }) => new Set(operands.filter((id) => !defined.has(id))).size);
  const waiting = new Map<ValueId, number[]>();
  for (const [place, { operands }] of ops.entries()) {
    for (const id of new Set(operands)) {
      if (defined.has(id)) continue;
      const others = waiting.get(id) ?? [];
      others.push(place);
      waiting.set(id, others);
    }
  }
  const [free, rounds]: [number[], number[]] = [[], []];
  const arrive = (place: number): unknown => (roundsOf(module, ops[place]!) === 0 ? free : rounds).push(place);
  for (const [place, count] of missing.entries()) if (count === 0) arrive(place);
  const steps: Step[] = [];
  let left = ops.length;
  while (left > 0) {
    const isFree = free.length > 0;
    const ready = (isFree ? free : rounds).splice(0).sort((a, b) => a - b);
    if (ready.length === 0) throw new Error(`module ${module.name} has a cycle`);
    const taken = ready.map((place) => ops[place]!);
    if (isFree) steps.push(...taken.map((op) => ({ ops: [op] })));
    else steps.push({ ops: taken });
    left -= taken.length;
    for (const { result } of taken)
      for (const place of waiting.get(result) ?? []) if (--missing[place]! === 0) arrive(place);
  }
  return { ...module, stage: "schedule", steps };
}

export const schedulePass: Pass<SplitState> = {
  name: "schedule",
  requires: "select",
  ensures: "schedule",
  run: (state) => ({ ...state, module: schedule(state.module) }),
};
