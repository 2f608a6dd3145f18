import type { Module } from "../../ir/module.ts";
import type { WeightStore } from "../../ir/weights.ts";
import { rewritePass } from "../../passes/2-rewrite/index.ts";
import { approximatePass } from "../../passes/3-approximate/index.ts";
import type { Preset } from "../../passes/3-approximate/preset.ts";
import type { Calibration } from "../../passes/4-quantize/calibration.ts";
import { quantizePass } from "../../passes/4-quantize/index.ts";
import { computedBy, type SelectOptions } from "../../passes/5-select/choose.ts";
import { selectPass } from "../../passes/5-select/index.ts";
import { schedulePass } from "../../passes/6-schedule/index.ts";
import { runPass, type SplitState } from "../../passes/pass.ts";
import type { Setting } from "../../runtime/protocols/kit/index.ts";
import type { LinkProfile } from "../../runtime/transport/index.ts";
import { type CostReport, costReport } from "../report/cost/index.ts";
import type { ShapeName } from "./architectures.ts";
import type { ShapeOptions } from "./kit.ts";
import { shapeState } from "./module.ts";
import { assumedCalibration } from "./ranges.ts";

export interface ShapeModule {
  /** Stage rewrite: what 3-approximate and 4-quantize start from. */
  readonly state: SplitState;
  readonly module: Module;
  /** Shapes without numbers. */
  readonly weights: WeightStore;
  readonly calibration: Calibration;
}

/** A known architecture at stage rewrite, with weights that have no numbers and ranges that are assumed. */
export function shapeModule(
  name: ShapeName,
  options: ShapeOptions & Pick<ShapeCount, "select">,
  { without = [], families = ["marill"] }: Partial<Pick<Preset, "without" | "families">> = {},
): ShapeModule {
  const computes = computedBy({ setting: settingOf(options), families });
  const state = runPass(rewritePass({ without, computes }), shapeState(name, options));
  return { state, module: state.module, weights: state.weights, calibration: assumedCalibration(name, state) };
}

export interface ShapeCount extends ShapeOptions {
  /** As this system computes it; absent: as we do. */
  readonly preset?: Preset;
  readonly select?: SelectOptions;
  readonly links?: readonly LinkProfile[];
}

/** The passes of a compilation and its counting, from shapes alone. */
export function countShape(
  name: ShapeName,
  options: ShapeCount,
): { readonly module: Module; readonly report: CostReport } {
  const { module } = scheduledShape(name, options);
  return { module, report: costReport(module, settingOf(options), "shape", options.links ?? []) };
}

export const settingOf = ({ select }: Pick<ShapeCount, "select">): Setting => select?.setting ?? "2pc-dealer";

/** The passes of a compilation, on shapes. */
export function scheduledShape(name: ShapeName, options: ShapeCount): SplitState {
  const { preset } = options;
  const { state, calibration } = preset ? written(name, options, preset) : shapeModule(name, options);
  const select: SelectOptions = {
    ...(options.select ?? { setting: settingOf(options) }),
    ...(preset && restricted(preset, name)),
  };
  const precision = preset?.precision;
  const quantized = runPass(quantizePass({ calibration, ...(precision && { precision }) }), state);
  return runPass(schedulePass, runPass(selectPass(select), quantized));
}

/** What a preset leaves to choose from; its ring is the one that its authors took for this model, if they say. */
function restricted({ families, ring, rings, truncations }: Preset, name: ShapeName) {
  const own = rings?.[name] ?? ring;
  return { families, ...(own !== undefined && { ring: own }), ...(truncations && { truncations }) };
}

/** The same in the operators of a preset. */
function written(name: ShapeName, options: ShapeOptions, preset: Preset): Pick<ShapeModule, "state" | "calibration"> {
  const state = runPass(approximatePass(preset), shapeModule(name, options, preset).state);
  return { state, calibration: assumedCalibration(name, state, preset) };
}
