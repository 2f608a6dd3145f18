export { initKeys } from "./init-keys.ts";
export { acceptInvite } from "./invite.ts";
export { readIdentity } from "./read-identity.ts";
