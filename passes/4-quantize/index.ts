import { type Diagnostic, throwIfAny } from "../../ir/diagnostic.ts";
import { type Module, opsOf, type ValueId } from "../../ir/module.ts";
import type { Precision } from "../../ir/ops/define.ts";
import { isFixed } from "../../ir/type.ts";
import type { Pass, SplitState } from "../pass.ts";
import type { Calibration } from "./calibration-types.ts";
import { defaultPrecision } from "./precision.ts";
import { assignScales } from "./scales.ts";

export { withCachedRanges } from "./calibration-types.ts";
export { checkFinite } from "./finite.ts";
export { defaultPrecision, serverWeightRange, weightBits } from "./precision.ts";

export interface QuantizeOptions {
  readonly calibration: Calibration;
  readonly precision?: Precision;
  /** exact: nothing is rounded inside of an operator that can leave it to a truncation. Default: fast. */
  readonly truncation?: "fast" | "exact";
}

/** Widest ring that the runtime computes in. */
const widest = 64;

/** Fixed point for every shared value: scale, range, and the least ring that holds it. Ring widths are planned by 5-select. */
export function quantize(
  state: SplitState,
  { calibration, precision = defaultPrecision, truncation }: QuantizeOptions,
): SplitState {
  const integers = new Set(state.client.cuts.filter((cut) => cut.oneHot !== undefined).map((cut) => cut.value));
  const module = assignScales(state, { precision, calibration, integers, exact: truncation === "exact" });
  throwIfAny(tooWide(module));
  return { ...state, module };
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
    if (label !== "shared" || !isFixed(element) || element.width <= widest) return [];
    const bounds =
      range && Number.isFinite(range.lo) && Number.isFinite(range.hi) ? `[${range.lo}, ${range.hi}]` : undefined;
    const found = bounds ? `${element.width} bits for ${bounds} at scale ${element.scale}` : "no bounds";
    return [
      {
        code: "MRL0501",
        message: `%${id}: expected a value that fits a ring of ${widest} bits, found ${found}`,
        at: origins.get(id) ?? `%${id}`,
        help: bounds
          ? "give public calibration inputs (--calibrate), or lower the fractional bits (--precision)"
          : "give public calibration inputs: --calibrate",
      },
    ];
  });
}

export { type CalibrateOptions, calibrate, checkCalibration } from "./calibrate.ts";
export type { Calibration } from "./calibration-types.ts";
