import type { Role } from "../../runtime/core/index.ts";
import { acceptInvite as accept, initKeys } from "../keys/index.ts";
import { refuseFile } from "./errors.ts";
import { checkOptions, type Fields, integer, required, text } from "./fields.ts";

export interface CreateKeysOptions {
  /** A new folder for `client/`, `server/` and `dealer/`. Existing keys are never overwritten. */
  readonly folder: string;
  /** Validity of the certificates in days, 1 to 36500. Default: two years. */
  readonly days?: number;
}

const days = integer(1, 36500);
const createFields: Fields<CreateKeysOptions> = { folder: required(text), days };

/** Output of `keys init --json`. */
export interface KeysResult {
  readonly schema: 1;
  /** Folder of each party: give it only to that party, over a secure channel. */
  readonly folders: Readonly<Record<Role, string>>;
  /** Invite files, for a party that prefers to create its own key. They contain no secrets. */
  readonly invites: Readonly<Record<Role, string>>;
  /** SHA-256 of each certificate. */
  readonly fingerprints: Readonly<Record<Role, string>>;
  /** Date and time in ISO 8601. */
  readonly validUntil: string;
}

/**
 * Creates keys, certificates and mutual pins for the three parties.
 *
 * @example
 * ```ts
 * const { folders } = await createKeys({ folder: "keys" });
 * console.log(folders.client);
 * ```
 */
export async function createKeys(options: CreateKeysOptions): Promise<KeysResult> {
  checkOptions("createKeys", createFields, options);
  const { folder, days } = options;
  const made = await initKeys(folder, days === undefined ? {} : { days }).catch(refuseFile);
  const { folders, invites, fingerprints, validUntil } = made;
  return { schema: 1, folders, invites, fingerprints, validUntil: validUntil.toISOString() };
}

export interface AcceptInviteOptions {
  /** The file `<role>.invite.json` that `createKeys` wrote. */
  readonly invite: string;
  /** A new folder for the identity of the invited party. */
  readonly folder: string;
  /** Validity of the certificate in days, 1 to 36500. Default: two years. */
  readonly days?: number;
}

const acceptFields: Fields<AcceptInviteOptions> = { invite: required(text), folder: required(text), days };

/** Output of `keys accept --json`. */
export interface AcceptedKey {
  readonly schema: 1;
  readonly role: Role;
  readonly folder: string;
  /** Send it to the other parties: each replaces `peers/<role>.pem` in its folder with it. */
  readonly certificate: string;
  /** SHA-256 of the certificate. */
  readonly fingerprint: string;
  /** Date and time in ISO 8601. */
  readonly validUntil: string;
}

/**
 * Creates the invited party's key on its own machine: no one else ever holds it.
 *
 * @example
 * ```ts
 * const { certificate } = await acceptInvite({ invite: "client.invite.json", folder: "client" });
 * ```
 * @throws DiagnosticError for an invite that cannot be used, and for a folder that exists
 */
export async function acceptInvite(options: AcceptInviteOptions): Promise<AcceptedKey> {
  checkOptions("acceptInvite", acceptFields, options);
  const { invite, folder, days } = options;
  const made = await accept(invite, folder, days === undefined ? {} : { days }).catch(refuseFile);
  const { role, certificateFile: certificate, fingerprint, validUntil } = made;
  return { schema: 1, role, folder, certificate, fingerprint, validUntil: validUntil.toISOString() };
}
