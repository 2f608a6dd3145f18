export { compileModel } from "./compile.ts";
