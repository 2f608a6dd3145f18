import { type Diagnostic, throwIfAny } from "../../ir/diagnostic.ts";
import { type Module, opsOf, type ValueId } from "../../ir/module.ts";
import type { Precision } from "../../ir/ops/define.ts";
import { isFixed } from "../../ir/type.ts";
import { cutsOf, type Pass, type SplitState } from "../pass.ts";
import type { Calibration } from "./calibration-types.ts";
import { createFineInputs } from "./fine-inputs.ts";
import { defaultPrecision } from "./precision.ts";
import { checkResolution } from "./resolution.ts";
import { assignScales } from "./scales.ts";
import { alignThresholds } from "./threshold-grid.ts";

export { withCachedRanges } from "./calibration-types.ts";
export { type Departure, type DepartureWatch, watchDepartures } from "./departures.ts";
export { checkFinite } from "./finite.ts";
export { integralValues } from "./integral.ts";
export { defaultPrecision, weightBits } from "./precision.ts";
export { defaultQuality, precisionsOf, precisionsWith, type Quality, qualities } from "./quality.ts";
export { tooCoarseCode } from "./resolution.ts";
export { withRounding } from "./rounding-room.ts";

export interface QuantizeOptions {
  readonly calibration: Calibration;
  readonly precision?: Precision;
  /** exact: operators leave rounding to truncations wherever they can. Default: fast. */
  readonly truncation?: "fast" | "exact";
  /** What is opened is rounded as its operator does: in another system's numerics, and where one operator is counted. */
  readonly keepsRoundings?: boolean;
}

/** The code of a value without bounds, or whose bounds need a wider ring. */
export const tooWideCode = "MRL0501";

/** Widest ring that the runtime computes in. */
const maxWidth = 64;
/** Bits of a private weight: it is packed from a float64, whose integers are exact up to there. */
const maxWeightWidth = 53;

/**
 * Gives every shared value a fixed-point form: scale, range, and the smallest ring that holds it. 5-select plans the
 * ring widths. Throws the diagnostics of all values that have no form.
 */
export function quantize(
  state: SplitState,
  { calibration, precision = defaultPrecision, truncation, keepsRoundings = false }: QuantizeOptions,
): SplitState {
  const integers = new Set(
    cutsOf(state)
      .filter((cut) => cut.oneHot !== undefined)
      .map((cut) => cut.value),
  );
  const functions = new Set(cutsOf(state).flatMap((cut) => (cut.functions ? [cut.value] : [])));
  const fine = createFineInputs(state.module, functions, calibration, precision);
  const exact = truncation === "exact";
  const { module, problems } = assignScales(state, {
    precision,
    calibration,
    integers,
    fine,
    exact,
    roundsOpened: !keepsRoundings,
  });
  throwIfAny(problems);
  throwIfAny(tooWide(module));
  throwIfAny(checkResolution(state.module, module, calibration));
  return alignThresholds({ ...state, module }, precision.activation);
}

export const quantizePass = (options: QuantizeOptions): Pass<SplitState> => ({
  name: "quantize",
  requires: "rewrite",
  ensures: "quantize",
  run: (state) => quantize(state, options),
});

function tooWide(module: Module): readonly Diagnostic[] {
  const origins = new Map<ValueId, string>(opsOf(module).map((op) => [op.result, op.origin]));
  return Object.entries(module.values).flatMap(([id, { type, range }]) => {
    const { element, label } = type;
    const most = label === "shared" ? maxWidth : maxWeightWidth;
    if ((label !== "shared" && label !== "server") || !isFixed(element) || element.width <= most) return [];
    const bounds =
      range && Number.isFinite(range.lo) && Number.isFinite(range.hi) ? `[${range.lo}, ${range.hi}]` : undefined;
    const found = bounds ? `${element.width} bits for ${bounds} at scale ${element.scale}` : "no bounds";
    return [
      {
        code: tooWideCode,
        message: `%${id}: expected a ${label === "shared" ? `value that fits a ring of ${most} bits` : `weight of at most ${most} bits`}, found ${found}`,
        at: origins.get(id) || `%${id}`,
        help: bounds
          ? "give public calibration inputs (--calibrate <path>), or bound the values in the model, as Clip does"
          : "give public calibration inputs: --calibrate <folder of .npz or .pb files, or .jsonl file of prompts>",
      },
    ];
  });
}

export { boundsFrom, type CalibrateOptions, calibrate, overlay } from "./calibrate.ts";
export type { Calibration, Observation } from "./calibration-types.ts";
export { beyondBoundsCode, checkCalibration } from "./check-calibration.ts";
export { withoutGuardedInner } from "./guarded-inner.ts";
export { hasInnerRange, type InnerRange } from "./inner-ranges.ts";
export { analyzeRanges } from "./interval-analysis.ts";
export { observe, type RunObservation } from "./observe.ts";
export {
  createPublication,
  type PublishedBound,
  type PublishedRanges,
  publishedBits,
  publishRanges,
  publishWeights,
} from "./publish-ranges.ts";
export { roomForQueries } from "./query-room.ts";
export { publishWorstCase } from "./worst-case-ranges.ts";
export { estimateWrap, fewestRuns, type WrapEstimate } from "./wrap-estimate.ts";
