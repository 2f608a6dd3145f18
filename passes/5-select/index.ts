import { throwIfAny } from "../../ir/diagnostic.ts";
import type { ValueId } from "../../ir/module.ts";
import type { Pass, SplitState } from "../pass.ts";
import { chooseProtocols, refusals, type SelectOptions } from "./choose.ts";
import { chosenValues, type GuardOptions, guardedValues, insertGuard } from "./guard.ts";
import { planRings } from "./rings.ts";

export type { LinkSpeed, Objective } from "./cheapest.ts";
export { computesOperator, type SelectOptions } from "./choose.ts";
export type { GuardOptions } from "./guard.ts";
export { type Inexact, inexactOperators, openedRoundings } from "./inexact.ts";
export { fixedOf, specOf } from "./spec.ts";

/**
 * Chooses a protocol for each op and a ring for each value; opens each masked value once. Throws if an op has no
 * protocol or no ring.
 */
export function select(state: SplitState, options: SelectOptions): SplitState {
  const module = planRings(state.module, chooseProtocols(state.module, options), options.ring);
  throwIfAny(refusals(module));
  return { ...state, module };
}

/**
 * The same with range checks. What must be checked follows from what is opened, and a wider ring may want another value
 * opened in turn: it is then checked as well.
 */
function selectGuarded(state: SplitState, options: SelectOptions, { layers, headroom }: GuardOptions): SplitState {
  let selected = select(state, options);
  let checked: readonly ValueId[] = [];
  for (;;) {
    const needed = chosenValues(state.module, guardedValues(state.module, selected.module), layers);
    const more = needed.filter((id) => !checked.includes(id));
    if (more.length === 0) return selected;
    checked = [...checked, ...more];
    selected = select(insertGuard(state, checked, headroom), options);
  }
}

export interface GuardedSelectOptions extends SelectOptions {
  readonly guard?: GuardOptions;
}

export const selectPass = ({ guard, ...options }: GuardedSelectOptions): Pass<SplitState> => ({
  name: "select",
  requires: "quantize",
  ensures: "select",
  run: (state) => (guard ? selectGuarded(state, options, guard) : select(state, options)),
});
export { resultOf } from "./spec.ts";
export { costOf, operandForm, roundsOf, trafficOf } from "./traffic.ts";
