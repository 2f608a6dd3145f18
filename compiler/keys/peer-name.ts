import { join } from "node:path";
import type { Role } from "../../runtime/core/index.ts";
import { isRole } from "../build/index.ts";

/** A party as identity folders name it: `client`, or `client.alice` where a role has several. */
export interface PeerName {
  readonly role: Role;
  readonly name?: string;
}

/** It is in file names, logs and certificates, so it is short and plain. */
const namePattern = /^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$/;

/** Reads `<role>` or `<role>.<name>`. */
export function parsePeer(text: string): PeerName | undefined {
  const [role, name, ...more] = text.split(".");
  if (!isRole(role!) || more.length > 0) return undefined;
  if (name === undefined) return { role };
  return namePattern.test(name) ? { role, name } : undefined;
}

export const peerForm = "client, server or dealer, with a name of letters, digits, - and _ as client.alice";

/** Where an identity folder has the certificate of a peer. */
export const peerFile = (dir: string, peer: string): string => join(dir, "peers", `${peer}.pem`);
