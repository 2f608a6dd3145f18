import { type Module, opsOf } from "../../../ir/module.ts";
import { predict } from "../../../runtime/session/index.ts";
import { programFromPlan } from "../../../targets/program/interpret-plan.ts";
import { planProgram } from "../../../targets/program/plan.ts";
import { type GuardManifest, type NamedBytes, partyLabels } from "../../build/index.ts";
import type { PhaseTraffic, TrafficTotals } from "./traffic-totals.ts";

/** What the range checks of a build cost in a query. */
export interface GuardCost
  extends Pick<GuardManifest, "elements" | "headroom">,
    Pick<TrafficTotals, "offline" | "online"> {
  /** Number of guarded layers. */
  readonly layers: number;
}

/**
 * Counts a scheduled module with and without the calls that only the guard reads, in the same rings. The headroom, which
 * widens the rings of all other calls, is not in the difference: `cost --diff` against a build without a guard has both.
 */
export function guardCost(module: Module, setting: string, guard: GuardManifest): GuardCost {
  const counted = (each: Module) => predict(programFromPlan(planProgram(each, setting), ""));
  const [whole, without] = [module, withoutGuard(module, guard.value)].map(counted);
  const labels = partyLabels(setting);
  const difference = (phase: "offline" | "online"): PhaseTraffic => {
    const [all, rest] = [whole![phase], without![phase]];
    const [allBytes, restBytes] = [labels.bytes(all.bytes), labels.bytes(rest.bytes)];
    const bytes = Object.entries(allBytes).map(([link, count]) => [
      link,
      count - ((restBytes as Record<string, number>)[link] ?? 0),
    ]);
    return {
      rounds: all.rounds - rest.rounds,
      bytes: Object.fromEntries(bytes.filter(([, count]) => Number(count) > 0)) as NamedBytes,
    };
  };
  const { elements, headroom, layers } = guard;
  return { elements, headroom, layers: layers.length, offline: difference("offline"), online: difference("online") };
}

/** The same steps without the calls that only the bit of the guard depends on. */
function withoutGuard(module: Module, value: string): Module {
  const outputs = module.outputs.filter((id) => id !== value);
  const live = new Set<string>(outputs);
  for (const op of opsOf(module).toReversed()) if (live.has(op.result)) for (const id of op.operands) live.add(id);
  const steps = module.steps
    .map(({ ops }) => ({ ops: ops.filter((op) => live.has(op.result)) }))
    .filter(({ ops }) => ops.length > 0);
  return { ...module, outputs, steps };
}
