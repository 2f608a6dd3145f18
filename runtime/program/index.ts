export { type LocalOp, local } from "./local-ops.ts";
export type { CachedDecl, HeldWeight, InputDecl, OutputDecl, Program, Toolbox, WeightDecl } from "./program.ts";
export { type Excess, outsideBounds, type QuantizedInput, quantizeInput } from "./quantize-input.ts";
export { toolbox } from "./toolbox.ts";
