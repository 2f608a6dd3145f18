import { opsOf } from "../../ir/module.ts";
import { withOps } from "../graph.ts";
import { type SplitState, withCuts } from "../pass.ts";

/** Drops ops that no output depends on, and inputs that no op reads. */
export function removeDead(state: SplitState): SplitState {
  const { module } = state;
  const live = withOps(module, opsOf(module));
  const read = new Set([...opsOf(live).flatMap((op) => op.operands), ...live.outputs]);
  const inputs = live.inputs.filter((id) => read.has(id));
  const kept = withCuts(state, (cuts) => cuts.filter((cut) => read.has(cut.value)));
  return { ...kept, module: withOps(live, opsOf(live), { inputs }) };
}
