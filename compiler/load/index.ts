export type {
  CompileOptions,
  InterfaceOptions,
  ResolvedOptions,
  ResolvedTarget,
  WeightOptions,
} from "./compile-options.ts";
export { type ImportMode, type LoadedModel, loadModel, loadOwnership, loadWithoutAdapter } from "./load-model.ts";
export { choiceProblems } from "./option-problems.ts";
export { inputMarginOf, OptionError, requireOptions, withPublication } from "./resolve-options.ts";
export { resolveTarget } from "./resolve-target.ts";
export { selectOutputs } from "./select-outputs.ts";
