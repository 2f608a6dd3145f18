import { presetLimits } from "../../passes/3-approximate/index.ts";
import { type Calibration, quantizePass } from "../../passes/4-quantize/index.ts";
import { selectPass } from "../../passes/5-select/index.ts";
import { schedulePass } from "../../passes/6-schedule/index.ts";
import { runPass, type SplitState } from "../../passes/pass.ts";
import type { ResolvedTarget } from "../load/index.ts";

export interface ScheduledModule {
  readonly quantized: SplitState;
  readonly selected: SplitState;
  readonly scheduled: SplitState;
}

/** Quantizes the secure part within its ranges, and selects protocols for the target. */
export function selectModule(
  state: SplitState,
  calibration: Calibration,
  { setting, truncation, link, objective, precision, preset, guard }: ResolvedTarget,
): Omit<ScheduledModule, "scheduled"> {
  const quantized = runPass(
    quantizePass({ calibration, precision, truncation, keepsRoundings: preset !== undefined }),
    state,
  );
  const selected = runPass(
    selectPass({ setting, truncation, link, objective, ...(guard && { guard }), ...(preset && presetLimits(preset)) }),
    quantized,
  );
  return { quantized, selected };
}

/** The same, with the steps of the protocols scheduled. */
export function scheduleModule(...given: Parameters<typeof selectModule>): ScheduledModule {
  const { quantized, selected } = selectModule(...given);
  return { quantized, selected, scheduled: runPass(schedulePass, selected) };
}
