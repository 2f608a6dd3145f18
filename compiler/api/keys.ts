import type { Role } from "../../runtime/core/index.ts";
import {
  acceptInvite as accept,
  initKeys,
  initOwnKey,
  type KnownParty,
  listParties,
  makeInvite,
  renewKeys,
  revokePeer,
  trustPeer,
} from "../keys/index.ts";
import { refuseFile } from "./errors.ts";
import { checkOptions, type Fields, integer, oneOf, required, text } from "./fields.ts";

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

export interface CreateOwnKeyOptions {
  /** A folder for `<role>/` and the invites. Existing keys are never overwritten. */
  readonly folder: string;
  /** The role of this machine. */
  readonly role: Role;
  /** Validity of the certificate in days, 1 to 36500. Default: two years. */
  readonly days?: number;
}

const ownFields: Fields<CreateOwnKeyOptions> = {
  folder: required(text),
  role: required(oneOf(["client", "server", "dealer"])),
  days,
};

/** Output of `keys init --role --json`. */
export interface OwnKey extends AcceptedKey {
  /** Invite files for the other two roles: they contain no secrets. */
  readonly invites: Readonly<Partial<Record<Role, string>>>;
}

/**
 * Creates the key of one party on its own machine, and invites for the others.
 *
 * @example
 * ```ts
 * const { folder, invites } = await createOwnKey({ folder: "keys", role: "server" });
 * ```
 */
export async function createOwnKey(options: CreateOwnKeyOptions): Promise<OwnKey> {
  checkOptions("createOwnKey", ownFields, options);
  const { folder: dir, role, days } = options;
  const made = await initOwnKey(dir, role, days).catch(refuseFile);
  const { folder, certificateFile: certificate, fingerprint, validUntil, invites } = made;
  return { schema: 1, role, folder, certificate, fingerprint, validUntil: validUntil.toISOString(), invites };
}

export interface AcceptInviteOptions {
  /** The file that `inviteParty`, `createOwnKey` or `createKeys` wrote. */
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
  /** Where a role has several parties. */
  readonly name?: string;
  readonly folder: string;
  /** Send it to the other parties: each trusts it with `trustParty` or `marillc keys trust`. */
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
export async function acceptInvite(options: AcceptInviteOptions): Promise<AcceptedKey & AcceptedPeers> {
  checkOptions("acceptInvite", acceptFields, options);
  const { invite, folder, days } = options;
  const made = await accept(invite, folder, days === undefined ? {} : { days }).catch(refuseFile);
  return { ...acceptedKey(folder, made), peers: made.peers };
}

export interface AcceptedPeers {
  /** Whom the new identity trusts: compare each fingerprint with that party. */
  readonly peers: readonly { readonly party: string; readonly fingerprint: string }[];
}

const acceptedKey = (folder: string, made: Omit<Awaited<ReturnType<typeof accept>>, "peers">): AcceptedKey => {
  const { role, name, certificateFile: certificate, fingerprint, validUntil } = made;
  const party = { role, ...(name !== undefined && { name }) };
  return { schema: 1, ...party, folder, certificate, fingerprint, validUntil: validUntil.toISOString() };
};

export interface PeerOptions {
  /** This party's identity folder. */
  readonly identity: string;
  /** The other party: `<role>`, or `<role>.<name>` where a role has several. */
  readonly party: string;
}

const peerFields: Fields<PeerOptions> = { identity: required(text), party: required(text) };

/** Output of `keys invite --json`. */
export interface WrittenInvite {
  readonly schema: 1;
  readonly party: string;
  readonly invite: string;
  /** The parties whose certificates are in it. */
  readonly peers: readonly string[];
  /** Roles that the invited party needs, and that it names nobody of: this party trusts none yet. */
  readonly missing: readonly Role[];
}

/** Roles that a party talks to, whichever its own is; clients come later. */
const services: readonly Role[] = ["server", "dealer"];

/** Writes an invite: the invited party makes its own key with it, and then trusts this party and all whom it trusts. */
export async function inviteParty(options: PeerOptions & { readonly invite: string }): Promise<WrittenInvite> {
  checkOptions("inviteParty", { ...peerFields, invite: required(text) }, options);
  const { identity, party, invite } = options;
  const { peers, invite: invited } = await makeInvite(identity, party, invite).catch(refuseFile);
  const names = peers.map(({ role, name }) => (name === undefined ? role : `${role}.${name}`));
  const missing = services.filter((role) => role !== invited && peers.every((peer) => peer.role !== role));
  return { schema: 1, party, invite, peers: names, missing };
}

/** Output of `keys trust --json` and `keys revoke --json`. */
export interface ChangedTrust extends KnownParty {
  readonly schema: 1;
}

/** Trusts a certificate that another party sent. Compare its fingerprint with that party first. */
export async function trustParty(options: PeerOptions & { readonly certificate: string }): Promise<ChangedTrust> {
  checkOptions("trustParty", { ...peerFields, certificate: required(text) }, options);
  const { identity, party, certificate } = options;
  return { schema: 1, ...(await trustPeer(identity, party, certificate).catch(refuseFile)) };
}

/** Trusts a party no more. A running service notices at SIGHUP, and ends that party's sessions. */
export async function revokeParty(options: PeerOptions): Promise<ChangedTrust> {
  checkOptions("revokeParty", peerFields, options);
  return { schema: 1, ...(await revokePeer(options.identity, options.party).catch(refuseFile)) };
}

/** Output of `keys list --json`. */
export interface KnownParties {
  readonly schema: 1;
  readonly own: KnownParty;
  readonly peers: readonly KnownParty[];
}

/** This party's certificate, and those that it trusts. */
export async function listKeys(options: { readonly identity: string }): Promise<KnownParties> {
  checkOptions("listKeys", { identity: required(text) }, options);
  return { schema: 1, ...(await listParties(options.identity).catch(refuseFile)) };
}

export interface RenewKeyOptions {
  /** This party's identity folder, whose certificate may have expired. */
  readonly identity: string;
  /** A new folder, for the new key and the same peers. */
  readonly folder: string;
  /** Validity of the certificate in days, 1 to 36500. Default: two years. */
  readonly days?: number;
}

const renewFields: Fields<RenewKeyOptions> = { identity: required(text), folder: required(text), days };

/** Creates a new key for a party, with the peers of the old one. */
export async function renewKey(options: RenewKeyOptions): Promise<AcceptedKey> {
  checkOptions("renewKey", renewFields, options);
  const { identity, folder, days } = options;
  return acceptedKey(folder, await renewKeys(identity, folder, days).catch(refuseFile));
}
