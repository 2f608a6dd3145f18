import { join } from "node:path";
import { fail } from "../../ir/diagnostic.ts";
import type { Role } from "../../runtime/core/index.ts";
import { fingerprintOf, peerText } from "../../runtime/transport/node/index.ts";
import { isRole } from "../build/index.ts";
import { allOrNothing, refuseExisting, writeIdentity } from "./identity-folder.ts";
import { KeyFileFault, readCertificate, readKeyFile } from "./key-files.ts";
import { type PeerName, parsePeer } from "./peer-name.ts";
import { makeKeyPair, validityFromToday } from "./x509.ts";

/** What a party must know about the others; all of it is public. */
export interface Invite {
  readonly schema: 1;
  /** The invited role. */
  readonly invite: Role;
  /** The name of the invited party, where its role has several. */
  readonly name?: string;
  readonly validUntil: string;
  readonly peers: readonly InvitePeer[];
}

interface InvitePeer extends PeerName {
  readonly fingerprint: string;
  readonly certificate: string;
}

export interface AcceptedInvite extends PeerName {
  /** Send it to the other parties, who trust it with `keys trust`. */
  readonly certificateFile: string;
  readonly fingerprint: string;
  readonly validUntil: Date;
}

/** A party that the invited one trusts from now on. */
export interface TrustedPeer {
  readonly party: string;
  readonly fingerprint: string;
}

/**
 * Makes the invited party's key in a new folder on its own machine: no one else ever holds it.
 * @throws DiagnosticError MRL0737 for an invite that cannot be used; also where the folder exists
 */
export async function acceptInvite(
  inviteFile: string,
  dir: string,
  options: { readonly days?: number } = {},
): Promise<AcceptedInvite & { readonly peers: readonly TrustedPeer[] }> {
  const { invite: role, name, peers } = readInvite(inviteFile);
  await refuseExisting([dir]);
  const certificates = Object.fromEntries(peers.map((peer) => [peerText(peer), peer.certificate]));
  const party = { role, ...(name !== undefined && { name }) };
  const made = await makeIdentity(dir, party, certificates, options.days);
  return { ...made, peers: peers.map((peer) => ({ party: peerText(peer), fingerprint: peer.fingerprint })) };
}

/** Makes a key in a new folder, for a party that trusts these certificates. */
export async function makeIdentity(
  dir: string,
  party: PeerName,
  peers: Readonly<Record<string, string>>,
  days?: number,
): Promise<AcceptedInvite> {
  const { from, to } = validityFromToday(days);
  const own = await makeKeyPair(`marillc ${peerText(party)}`, from, to);
  const fingerprint = fingerprintOf(own.certificate);
  const identity = { schema: 1, ...party, fingerprint, validUntil: to.toISOString() } as const;
  await allOrNothing([dir], () => writeIdentity(dir, identity, own, peers));
  return { ...party, certificateFile: join(dir, "cert.pem"), fingerprint, validUntil: to };
}

const nameOf = ({ name }: { readonly name?: string }): { readonly name?: string } =>
  name === undefined ? {} : { name };

/** A name in a file may be anything. */
function isParty({ role, name }: PeerName): boolean {
  // A role with a name in it would be another party than it says.
  if (typeof role !== "string" || !isRole(role)) return false;
  return name === undefined || (typeof name === "string" && parsePeer(`${role}.${name}`) !== undefined);
}

function readInvite(file: string): Invite {
  const refuse = (because: string): never =>
    fail({
      code: "MRL0737",
      message: "expected an invite, found a file that cannot be used as one",
      at: file,
      because: [because],
      help: "use the file that `marillc keys invite` or `marillc keys init <dir>` wrote",
    });
  try {
    const invite = JSON.parse(readKeyFile(file)) as Invite;
    if (invite.schema !== 1 || !isParty({ role: invite.invite, ...nameOf(invite) }))
      return refuse("it does not name the invited role");
    for (const peer of invite.peers) {
      const { role, fingerprint, certificate } = peer;
      if (!isParty({ role, ...nameOf(peer) }) || role === invite.invite)
        return refuse("a peer in it has no role, or the invited one");
      if (fingerprintOf(readCertificate(certificate)) !== fingerprint) {
        return refuse(`the fingerprint of the ${role} is not that of its certificate`);
      }
    }
    return invite;
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof TypeError)
      return refuse("it is not JSON of the expected form");
    if (error instanceof KeyFileFault) return refuse(error.message);
    throw error;
  }
}
