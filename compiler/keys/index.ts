export { initKeys, type NewKeys } from "./init.ts";
export { type Accepted, acceptInvite, type Invite } from "./invite.ts";
export { readIdentity } from "./read.ts";
