import { X509Certificate } from "node:crypto";
import { existsSync } from "node:fs";
import { copyFile, mkdir, rename, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fail } from "../../ir/diagnostic.ts";
import type { Role } from "../../runtime/core/index.ts";
import { fingerprintOf, peerText } from "../../runtime/transport/node/index.ts";
import { roles } from "../build/index.ts";
import { makeFolder } from "../tensors/files/index.ts";
import { allOrNothing, refuseExisting, writeJson } from "./identity-folder.ts";
import { type AcceptedInvite, type Invite, makeIdentity } from "./invite.ts";
import { KeyFileFault, readCertificate, readKeyFile } from "./key-files.ts";
import { type PeerName, parsePeer, peerFile, peerForm } from "./peer-name.ts";
import { readIdentityFolder } from "./read-identity.ts";

/** A certificate of a party, as `keys list` shows it. */
export interface KnownParty {
  /** `client`, or `client.alice`. */
  readonly party: string;
  readonly fingerprint: string;
  /** Absent for a peer of which identity.json has the fingerprint alone. */
  readonly validUntil?: string;
}

interface Refusal {
  readonly message: string;
  readonly at: string;
  readonly help: string;
}
const refuse = (refusal: Refusal): never => fail({ code: "MRL0743", ...refusal });

function partyOf(text: string, at: string): PeerName {
  const help = `name it as ${peerForm}`;
  return parsePeer(text) ?? refuse({ message: `expected the name of a party, found "${text}"`, at, help });
}

function certificateIn(at: string): X509Certificate {
  try {
    return readCertificate(readKeyFile(at));
  } catch (error) {
    if (!(error instanceof KeyFileFault)) throw error;
    const help = "give the file cert.pem that the party sent; whose private key has left its machine makes a new one";
    return refuse({ message: `expected one certificate: ${error.message}`, at, help });
  }
}

const validUntil = (certificate: X509Certificate): string => new Date(certificate.validTo).toISOString();

/**
 * Pins a certificate that another party sent. Whoever calls compares the fingerprint with that party, over a channel
 * that nobody else can change.
 * @throws DiagnosticError MRL0743 where the name has another certificate, or the certificate another name
 */
export async function trustPeer(dir: string, peer: string, certificateFile: string): Promise<KnownParty> {
  const own = await readIdentityFolder(dir);
  const { role } = partyOf(peer, dir);
  const certificate = certificateIn(certificateFile);
  const fingerprint = fingerprintOf(certificate);
  const known = { party: peer, fingerprint, validUntil: validUntil(certificate) };
  const at = peerFile(dir, peer);
  if (role === own.role) {
    const help = "a party trusts parties of the other two roles";
    refuse({ message: `expected a party of another role, found a ${role} as this one`, at: dir, help });
  }
  const holder = own.peers.find((pin) => pin.fingerprint === fingerprint);
  if (holder && peerText(holder) === peer) return known;
  if (holder || fingerprint === fingerprintOf(own.certificate)) {
    const whose = holder ? `that of ${peerText(holder)}` : "this party's own";
    const help = "no two parties share a key: ask for the party's own certificate";
    refuse({ message: `expected a certificate of ${peer}, found ${whose}`, at: certificateFile, help });
  }
  if (own.peers.some((pin) => peerText(pin) === peer)) {
    const help = `trust it beside the old one, under a name: ${role}.<name>; or first: marillc keys revoke ${dir} ${peer}`;
    refuse({ message: `another certificate is trusted as ${peer}`, at, help });
  }
  await mkdir(join(dir, "peers"), { recursive: true, mode: 0o700 });
  // A service may read the folder meanwhile: the file is there whole, or not at all.
  await writeFile(`${at}.new`, certificate.toString());
  await rename(`${at}.new`, at);
  return known;
}

/** Trusts a party no more. Its certificate stays in revoked/, for the record. */
export async function revokePeer(dir: string, peer: string): Promise<KnownParty> {
  const own = await readIdentityFolder(dir);
  partyOf(peer, dir);
  const pin = own.peers.find((each) => peerText(each) === peer);
  const known = own.peers.map(peerText).join(", ") || "nobody";
  if (!pin)
    return refuse({ message: `expected a party that is trusted, found "${peer}"`, at: dir, help: `trusted: ${known}` });
  const at = peerFile(dir, peer);
  if (!(await stat(at).catch(() => undefined))) {
    const help = `remove the line of ${peer} from it`;
    return refuse({ message: `${peer} is pinned by its fingerprint alone`, at: join(dir, "identity.json"), help });
  }
  const certificate = certificateIn(at);
  await mkdir(join(dir, "revoked"), { recursive: true, mode: 0o700 });
  await rename(at, join(dir, "revoked", `${peer}-${pin.fingerprint.slice(0, 12)}.pem`));
  return { party: peer, fingerprint: pin.fingerprint, validUntil: validUntil(certificate) };
}

/** This party, and those that it trusts. */
export async function listParties(
  dir: string,
): Promise<{ readonly own: KnownParty; readonly peers: readonly KnownParty[] }> {
  const own = await readIdentityFolder(dir);
  const peers: KnownParty[] = [];
  for (const pin of own.peers) {
    const file = peerFile(dir, peerText(pin));
    const until = existsSync(file) ? { validUntil: validUntil(certificateIn(file)) } : {};
    peers.push({ party: peerText(pin), fingerprint: pin.fingerprint, ...until });
  }
  const certificate = new X509Certificate(own.certificate);
  const ofOwn = { party: peerText(own), fingerprint: fingerprintOf(certificate), validUntil: validUntil(certificate) };
  return { own: ofOwn, peers };
}

/**
 * Writes an invite for a party that makes its own key. It has the certificates of this party and of all whom this party
 * trusts, but for those of the invited role.
 */
export async function makeInvite(dir: string, peer: string, file: string): Promise<Invite> {
  const own = await readIdentityFolder(dir);
  const { role, name } = partyOf(peer, dir);
  if (role === own.role) {
    const help = "invite parties of the other two roles; a party of the same role has a server or dealer to ask";
    refuse({ message: `expected a party of another role, found a ${role} as this one`, at: dir, help });
  }
  await refuseExisting([file]);
  const ofOwn = { role: own.role, ...(own.name !== undefined && { name: own.name }), certificate: own.certificate };
  const peers = [{ ...ofOwn, fingerprint: fingerprintOf(own.certificate) }];
  for (const pin of own.peers.filter((each) => each.role !== role)) {
    const at = peerFile(dir, peerText(pin));
    const certificate = certificateIn(at).toString();
    peers.push({ ...pin, certificate });
  }
  const until = validUntil(new X509Certificate(own.certificate));
  const invite: Invite = { schema: 1, invite: role, ...(name !== undefined && { name }), validUntil: until, peers };
  await writeJson(file, invite);
  return invite;
}

/**
 * Makes the key of one party on its own machine, and invites for the other two roles: nobody makes a key for another.
 * Returns the invites by role.
 */
export async function initOwnKey(
  dir: string,
  role: Role,
  days?: number,
): Promise<AcceptedInvite & { readonly folder: string; readonly invites: Readonly<Partial<Record<Role, string>>> }> {
  const folder = join(dir, role);
  const others = roles.filter((each) => each !== role).map((each) => [each, join(dir, `${each}.invite.json`)] as const);
  await refuseExisting([folder, ...others.map(([, file]) => file)]);
  makeFolder(dir);
  const made = await makeIdentity(folder, { role }, {}, days);
  await allOrNothing([folder, ...others.map(([, file]) => file)], async () => {
    for (const [each, file] of others) await makeInvite(folder, each, file);
  });
  return { ...made, folder, invites: Object.fromEntries(others) };
}

/** Makes a new key for a party in a new folder, where it trusts whom it trusts now. The old one serves until it is replaced. */
export async function renewKeys(dir: string, fresh: string, days?: number): Promise<AcceptedInvite> {
  const { role, name, peers } = await readIdentityFolder(dir);
  await refuseExisting([fresh]);
  const made = await makeIdentity(fresh, { role, ...(name !== undefined && { name }) }, {}, days);
  for (const pin of peers) {
    const party = peerText(pin);
    await copyFile(peerFile(dir, party), peerFile(fresh, party));
  }
  return made;
}
