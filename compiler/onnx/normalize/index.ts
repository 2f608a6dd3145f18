export { bindConstantInputs } from "./bind-constant-inputs.ts";
export { bindDims } from "./bind-dims.ts";
export { lowerSequences } from "./expand-sequences.ts";
export { type FeatureExponents, insertScales } from "./insert-scales.ts";
export { expandedMlOperators, mlDomain, refusalAttribute } from "./ml/expand-ml-operators.ts";
export { normalizeInitializers } from "./normalize-initializers.ts";
export { readModel } from "./read-model.ts";
export { untieInitializers } from "./untie-initializers.ts";
