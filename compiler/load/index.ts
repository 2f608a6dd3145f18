export { type ImportMode, type LoadedModel, loadModel, loadOwnership } from "./load-model.ts";
export { type CompileOptions, type ResolvedOptions, resolveOptions } from "./resolve-options.ts";
export { selectOutputs } from "./select-outputs.ts";
