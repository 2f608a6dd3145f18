export { initKeys } from "./init-keys.ts";
export { readIdentity } from "./read-identity.ts";
