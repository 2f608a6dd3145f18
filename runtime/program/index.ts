export { type LocalOp, local } from "./local-ops.ts";
export type { CachedDecl, HeldWeight, OutputDecl, Program, Toolbox, WeightDecl } from "./program.ts";
export { toolbox } from "./toolbox.ts";
