import type { Role } from "../../runtime/core/index.ts";
import { initKeys } from "../keys/index.ts";

export interface CreateKeysOptions {
  /** A new folder; it will hold `client/`, `server/` and `dealer/`. Keys that exist are never overwritten. */
  readonly folder: string;
  /** How long the certificates are valid, in days. Default: two years. */
  readonly days?: number;
}

/** What `keys init --json` prints. */
export interface KeysResult {
  readonly schema: 1;
  /** Folder of each party: give it to that party alone, over a safe way. */
  readonly folders: Readonly<Record<Role, string>>;
  /** For a party that would rather make its key itself. Nothing in it is secret. */
  readonly invites: Readonly<Record<Role, string>>;
  /** SHA-256 of each certificate. */
  readonly fingerprints: Readonly<Record<Role, string>>;
  /** ISO 8601. */
  readonly validUntil: string;
}

/**
 * Makes keys, certificates and mutual pins for the three parties.
 *
 * @example
 * ```ts
 * const { folders } = await createKeys({ folder: "keys" });
 * console.log(folders.client);
 * ```
 */
export async function createKeys({ folder, days }: CreateKeysOptions): Promise<KeysResult> {
  const made = await initKeys(folder, days === undefined ? {} : { days });
  const { folders, invites, fingerprints, validUntil } = made;
  return { schema: 1, folders, invites, fingerprints, validUntil: validUntil.toISOString() };
}
