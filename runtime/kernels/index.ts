export { type Builder, kernelBuilder, type Term } from "./builder.ts";
export { instantiate, type WasmMemory } from "./engine.ts";
export { execute, type Input, knownKernels, mostInputs, type Output, type ReadElements } from "./execute.ts";
export { highProduct, interpret } from "./interpret.ts";
export { inputsOf, type Kernel, type Lane, outputLanes, type Value, wordsOf } from "./language.ts";
export { parseKernel, printKernel } from "./text.ts";
