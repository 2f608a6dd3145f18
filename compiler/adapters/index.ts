export { feedAdapter } from "./adapter-inputs.ts";
export { exchangeWhole } from "./adapter-weights.ts";
export { attachAdapter } from "./import-adapter.ts";
export { type LowRankOptions, takeApart } from "./merged-lora.ts";
export { isOnnxAdapter, readOnnxAdapter } from "./onnx-adapter.ts";
export { readAdapter } from "./peft.ts";
