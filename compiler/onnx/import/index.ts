export { type ImportedLinear, type ImportedModel, importModel } from "./import-model.ts";
export { liveNodes } from "./lower-nodes.ts";
