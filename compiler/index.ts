/** `marillc` as a library: a model and its owners in, everything of a build directory out. */
export { writeBuild } from "./build/build-dir.ts";
export type { Manifest } from "./build/manifest.ts";
export { version } from "./build/version.ts";
export { type Artifacts, type CompileOptions, compileModel } from "./compile/compile.ts";
