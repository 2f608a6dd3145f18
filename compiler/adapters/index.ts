export { applySavedWeights } from "./apply-saved-weights.ts";
export { attachAdapter, loraTensors } from "./attach-adapter.ts";
export { bindAdapterInputs } from "./bind-adapter-inputs.ts";
export { type AdapterChoice, alignAdapters, sumAdapters } from "./combine-adapters.ts";
export { factorizeMergedLora, type MergedLoraOptions } from "./factorize-merged-lora.ts";
export { isOnnxAdapter, readOnnxAdapter } from "./onnx-adapter.ts";
export { readPeftAdapter } from "./peft-adapter.ts";
