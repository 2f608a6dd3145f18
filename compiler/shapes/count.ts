import type { Module } from "../../ir/module.ts";
import type { WeightStore } from "../../ir/weights.ts";
import { rewritePass } from "../../passes/2-rewrite/index.ts";
import { type Calibration, quantizePass } from "../../passes/4-quantize/index.ts";
import { type SelectOptions, selectPass } from "../../passes/5-select/index.ts";
import { schedulePass } from "../../passes/6-schedule/index.ts";
import { runPass, type SplitState } from "../../passes/pass.ts";
import type { LinkProfile } from "../../runtime/transport/link.ts";
import { type CostReport, costReport } from "../report/cost.ts";
import type { ShapeName } from "./architectures.ts";
import { type ShapeOptions, shapeState } from "./module.ts";
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
export function shapeModule(name: ShapeName, options: ShapeOptions): ShapeModule {
  const state = runPass(rewritePass(), shapeState(name, options));
  return { state, module: state.module, weights: state.weights, calibration: assumedCalibration(name, state) };
}

export interface ShapeCount extends ShapeOptions {
  readonly select?: SelectOptions;
  readonly links?: readonly LinkProfile[];
}

/** The passes of a compilation and its counting, from shapes alone. */
export function countShape(
  name: ShapeName,
  options: ShapeCount,
): { readonly module: Module; readonly report: CostReport } {
  const { state, calibration } = shapeModule(name, options);
  const select = options.select ?? { setting: "2pc-dealer" };
  const quantized = runPass(quantizePass({ calibration }), state);
  const { module } = runPass(schedulePass, runPass(selectPass(select), quantized));
  return { module, report: costReport(module, select.setting, "shape", options.links ?? []) };
}
