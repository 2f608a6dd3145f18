export { type Compilation, compileModel } from "./compile.ts";
export type { ReferenceRun } from "./reference-runs.ts";
