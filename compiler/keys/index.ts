export { initKeys } from "./init-keys.ts";
export { acceptInvite } from "./invite.ts";
export { initOwnKey, type KnownParty, listParties, makeInvite, renewKeys, revokePeer, trustPeer } from "./peers.ts";
export { readIdentity } from "./read-identity.ts";
