import type { WeightStore } from "../../ir/tensor.ts";
import type { PublishedBound, WrapEstimate } from "../../passes/4-quantize/index.ts";
import type { SplitState } from "../../passes/pass.ts";
import type { ProgramPlan } from "../../targets/program/plan.ts";
import type { Declared } from "../accuracy/index.ts";
import type { ClientDecodeGraphs, DecodeProgram } from "../decode/index.ts";
import type { LoadedModel, ResolvedOptions } from "../load/index.ts";
import type { MeasuredRanges } from "./measure-ranges.ts";

/** What a build's files are written from. */
export interface BuildInputs {
  readonly loaded: LoadedModel;
  readonly options: ResolvedOptions;
  readonly state: SplitState;
  readonly plan: ProgramPlan;
  /** The program that decodes one position, if there is one. */
  readonly decode?: DecodeProgram;
  /** The client's own layers position by position, if it can run them so. */
  readonly clientDecode?: ClientDecodeGraphs;
  /** Text of program.mir. */
  readonly mir: string;
  /** The weights with each adapter that the server may choose, by its name. */
  readonly choices: ReadonlyMap<string, WeightStore>;
  /** What ranges were measured on. */
  readonly runs: MeasuredRanges["runs"];
  /** Bounds that the provider publishes of its weights. */
  readonly published: readonly PublishedBound[];
  /** Errors and decisions of outputs; empty where they were not asked for, and for a preset. */
  readonly declared: Declared;
  /** How likely a query wraps, measured with public weights. */
  readonly wrap?: WrapEstimate;
}
