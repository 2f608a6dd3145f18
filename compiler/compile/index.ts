export { type Compilation, compileModel } from "./compile.ts";
