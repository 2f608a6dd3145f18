export { type ImportedLinear, type ImportedModel, importModel } from "./import-model.ts";
export { inlineKnownBranches } from "./inline-branches.ts";
export { liveNodes } from "./lower-nodes.ts";
