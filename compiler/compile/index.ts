export { type Artifacts, compileModel } from "./compile.ts";
