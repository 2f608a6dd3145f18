/** `marillc` as a library: a model and its owners in, everything of a build directory out. */
export { writeBuild } from "./build-dir.ts";
export { type Artifacts, type CompileOptions, compileModel } from "./compile.ts";
export type { Manifest } from "./manifest.ts";
export { version } from "./version.ts";
