import type { Module } from "../../ir/module.ts";
import type { WeightStore } from "../../ir/tensor.ts";
import { rewritePass } from "../../passes/2-rewrite/index.ts";
import { approximatePass, type Preset, presetLimits } from "../../passes/3-approximate/index.ts";
import { type Calibration, quantizePass } from "../../passes/4-quantize/index.ts";
import { computesOperator, type SelectOptions, selectPass } from "../../passes/5-select/index.ts";
import { schedulePass } from "../../passes/6-schedule/index.ts";
import { runPass, type SplitState } from "../../passes/pass.ts";
import type { Setting } from "../../runtime/protocols/kit/index.ts";
import type { LinkProfile } from "../../runtime/transport/index.ts";
import { type CostReport, costReport } from "../report/cost/index.ts";
import type { ArchitectureOptions } from "./architecture-builder.ts";
import { architectureState } from "./architecture-module.ts";
import type { ArchitectureName } from "./architectures.ts";
import { assumedCalibration } from "./assumed-ranges.ts";

export interface EstimateModule {
  /** At stage rewrite, from which 3-approximate and 4-quantize start. */
  readonly state: SplitState;
  readonly module: Module;
  /** Meta tensors, unless the options give values. */
  readonly weights: WeightStore;
  readonly calibration: Calibration;
}

/** Builds a known architecture at stage rewrite, with meta tensors as weights and assumed ranges. */
export function estimateModule(
  name: ArchitectureName,
  options: ArchitectureOptions & Pick<EstimateOptions, "select">,
  { without = [], families = ["marill"] }: Partial<Pick<Preset, "without" | "families">> = {},
): EstimateModule {
  const computes = computesOperator({ setting: estimateSetting(options), families });
  const state = runPass(rewritePass({ without, computes }), architectureState(name, options));
  return { state, module: state.module, weights: state.weights, calibration: assumedCalibration(name, state) };
}

export interface EstimateOptions extends ArchitectureOptions {
  /** The system whose formulas and protocols are counted; absent: marillc's own. */
  readonly preset?: Preset;
  readonly select?: SelectOptions;
  readonly links?: readonly LinkProfile[];
}

/** Compiles and counts an architecture from shapes alone. */
export function estimateCost(
  name: ArchitectureName,
  options: EstimateOptions,
): { readonly module: Module; readonly report: CostReport } {
  const { module } = scheduledEstimate(name, options);
  return { module, report: costReport(module, estimateSetting(options), "shape", options.links ?? []) };
}

export const estimateSetting = ({ select }: Pick<EstimateOptions, "select">): Setting =>
  select?.setting ?? "2pc-dealer";

/** Runs the passes of a compilation on shapes. */
export function scheduledEstimate(name: ArchitectureName, options: EstimateOptions): SplitState {
  const { preset } = options;
  const { state, calibration } = preset ? expandPreset(name, options, preset) : estimateModule(name, options);
  const select: SelectOptions = {
    ...(options.select ?? { setting: estimateSetting(options) }),
    ...(preset && presetLimits(preset, name)),
  };
  const precision = preset?.precision;
  const quantized = runPass(
    quantizePass({ calibration, ...(precision && { precision }), keepsRoundings: preset !== undefined }),
    state,
  );
  return runPass(schedulePass, runPass(selectPass(select), quantized));
}

/** The architecture, expanded into the formulas of a preset. */
function expandPreset(
  name: ArchitectureName,
  options: ArchitectureOptions,
  preset: Preset,
): Pick<EstimateModule, "state" | "calibration"> {
  const state = runPass(approximatePass(preset), estimateModule(name, options, preset).state);
  return { state, calibration: assumedCalibration(name, state, preset) };
}
