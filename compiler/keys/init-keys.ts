import { join } from "node:path";
import type { Role } from "../../runtime/core/index.ts";
import { fingerprintOf } from "../../runtime/transport/node/index.ts";
import { roles } from "../build/index.ts";
import { makeFolder } from "../tensors/files/index.ts";
import { allOrNothing, refuseExisting, writeIdentity, writeJson } from "./identity-folder.ts";
import type { Invite } from "./invite.ts";
import { type KeyPair, makeKeyPair, validityFromToday } from "./x509.ts";

export interface CreatedKeys {
  /** Folder of each party: send it to that party over a secure channel, and keep no copy. */
  readonly folders: Readonly<Record<Role, string>>;
  /** For a party that makes its own key with `acceptInvite`. An invite contains no secret. */
  readonly invites: Readonly<Record<Role, string>>;
  readonly fingerprints: Readonly<Record<Role, string>>;
  readonly validUntil: Date;
}

/**
 * Makes keys, certificates and mutual pins for the three parties. They are valid for `days`, by default two years.
 * @throws DiagnosticError where a path exists; then it writes nothing
 */
export async function initKeys(dir: string, options: { readonly days?: number } = {}): Promise<CreatedKeys> {
  const byRole = async <T>(make: (role: Role) => T | Promise<T>): Promise<Record<Role, T>> =>
    Object.fromEntries(await Promise.all(roles.map(async (role) => [role, await make(role)]))) as Record<Role, T>;
  const folders = await byRole((role) => join(dir, role));
  const invites = await byRole((role) => join(dir, `${role}.invite.json`));
  await refuseExisting([...Object.values(folders), ...Object.values(invites)]);

  const { from, to } = validityFromToday(options.days);
  const pairs: Record<Role, KeyPair> = await byRole((role) => makeKeyPair(`marillc ${role}`, from, to));
  const fingerprints = await byRole((role) => fingerprintOf(pairs[role].certificate));
  const validUntil = to.toISOString();
  const write = async (): Promise<void> => {
    makeFolder(dir);
    for (const role of roles) {
      const others = roles.filter((each) => each !== role);
      const certificates = Object.fromEntries(others.map((each) => [each, pairs[each].certificate]));
      const identity = { schema: 1, role, fingerprint: fingerprints[role], validUntil } as const;
      await writeIdentity(folders[role], identity, pairs[role], certificates);
      const peers = others.map((each) => ({
        role: each,
        fingerprint: fingerprints[each],
        certificate: pairs[each].certificate,
      }));
      await writeJson(invites[role], { schema: 1, invite: role, validUntil, peers } satisfies Invite);
    }
  };
  await allOrNothing([...Object.values(folders), ...Object.values(invites)], write);
  return { folders, invites, fingerprints, validUntil: to };
}
