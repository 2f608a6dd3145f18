import { throwIfAny } from "../../ir/diagnostic.ts";
import type { Pass, SplitState } from "../pass.ts";
import { chooseProtocols, refusals, type SelectOptions } from "./choose.ts";
import { planRings } from "./rings.ts";

export type { LinkSpeed, Objective } from "./cheapest.ts";
export { computesOperator, type SelectOptions } from "./choose.ts";
export { type Inexact, inexactOperators } from "./inexact.ts";
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

export const selectPass = (options: SelectOptions): Pass<SplitState> => ({
  name: "select",
  requires: "quantize",
  ensures: "select",
  run: (state) => select(state, options),
});
export { resultOf } from "./spec.ts";
export { costOf, operandForm, roundsOf, trafficOf } from "./traffic.ts";
