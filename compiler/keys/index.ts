export { initKeys } from "./init.ts";
export { readIdentity } from "./read.ts";
