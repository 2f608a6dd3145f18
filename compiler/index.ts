/** `marillc` as a library: a model and its owners in, everything of a build directory out. */

export type { Manifest } from "./build/index.ts";
export { version, writeBuild } from "./build/index.ts";
export { type Compilation, compileModel } from "./compile/index.ts";
export type { CompileOptions } from "./load/index.ts";
