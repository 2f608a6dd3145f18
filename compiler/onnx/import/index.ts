export { type Imported, type ImportedLinear, importModel } from "./import.ts";
export { liveNodes } from "./import-node.ts";
