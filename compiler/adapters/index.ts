export { applySavedWeights } from "./apply-saved-weights.ts";
export { attachAdapter } from "./attach-adapter.ts";
export { bindAdapterInputs } from "./bind-adapter-inputs.ts";
export { factorizeMergedLora, type MergedLoraOptions } from "./factorize-merged-lora.ts";
export { isOnnxAdapter, readOnnxAdapter } from "./onnx-adapter.ts";
export { readPeftAdapter } from "./peft-adapter.ts";
