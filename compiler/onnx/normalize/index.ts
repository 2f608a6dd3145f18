export { bindConstantInputs } from "./bind-constant-inputs.ts";
export { bindDims } from "./bind-dims.ts";
export { readModel } from "./read-model.ts";
export { lowerSequences } from "./sequences.ts";
export { untieInitializers } from "./untie-initializers.ts";
