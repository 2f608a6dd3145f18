export { type LocalOp, local } from "./local.ts";
export type { KeptDecl, OutputDecl, Program, Toolbox, WeightDecl, WeightHandle } from "./program.ts";
export { toolbox } from "./toolbox.ts";
