export { bindDims } from "./import-dims.ts";
export { readModel } from "./read-model.ts";
export { withoutSequences } from "./sequences.ts";
export { settleInputs } from "./settled-inputs.ts";
export { toldApart } from "./shared-uses.ts";
