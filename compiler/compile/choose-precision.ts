import { DiagnosticError } from "../../ir/diagnostic.ts";
import { opsOf } from "../../ir/module.ts";
import type { Precision } from "../../ir/ops/define.ts";
import type { Calibration } from "../../passes/4-quantize/index.ts";
import type { SplitState } from "../../passes/pass.ts";
import type { ResolvedTarget } from "../load/index.ts";
import { selectModule } from "./schedule-module.ts";

/**
 * The first precision whose program compiles, and extends no more rings than the program of the last one: an extension
 * takes a round. If every precision extends more, the first that compiles. Ranges, scales and rings are public, and so
 * is the choice.
 * @throws DiagnosticError what the last precision reports, if none compiles
 */
export function choosePrecision(state: SplitState, calibration: Calibration, target: ResolvedTarget): Precision {
  const { precisions } = target;
  const last = precisions.at(-1)!;
  if (precisions.length === 1) return last;
  const extensionsOf = (precision: Precision): number => countExtensions(state, calibration, { ...target, precision });
  let first: Precision | undefined;
  let least: number | undefined;
  for (const precision of precisions.slice(0, -1)) {
    const extensions = orNone(() => extensionsOf(precision));
    if (extensions === undefined) continue;
    if (extensions === 0) return precision;
    first ??= precision;
    least ??= orNone(() => extensionsOf(last)) ?? Number.POSITIVE_INFINITY;
    if (extensions <= least) return precision;
  }
  return first ?? last;
}

function countExtensions(...given: Parameters<typeof selectModule>): number {
  const { module } = selectModule(...given).selected;
  return opsOf(module).filter(({ name }) => name === "extend").length;
}

/** A precision that does not fit is no choice; what the last one reports is an error of the model. */
function orNone<T>(attempt: () => T): T | undefined {
  try {
    return attempt();
  } catch (error) {
    if (error instanceof DiagnosticError) return undefined;
    throw error;
  }
}
