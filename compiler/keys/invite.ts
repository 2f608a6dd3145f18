import { X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fail } from "../../ir/diagnostic.ts";
import type { Role } from "../../runtime/core/index.ts";
import { fingerprintOf } from "../../runtime/transport/node/index.ts";
import { isRole, refuseExisting, writeIdentity } from "./identity-folder.ts";
import { makeKeyPair, validityFromToday } from "./x509.ts";

/** What a party needs to know of the others, all of it public. */
export interface Invite {
  readonly schema: 1;
  /** The role that is invited. */
  readonly invite: Role;
  readonly validUntil: string;
  readonly peers: readonly { readonly role: Role; readonly fingerprint: string; readonly certificate: string }[];
}

export interface AcceptedInvite {
  readonly role: Role;
  /** To be sent to the others, who put it into their peers/ folder as <role>.pem in place of the old one. */
  readonly certificateFile: string;
  readonly fingerprint: string;
  readonly validUntil: Date;
}

const maxInviteBytes = 2 ** 16;

/** Makes the invited party's own key, in a new folder on its own machine: no one else ever holds it. */
export async function acceptInvite(
  inviteFile: string,
  dir: string,
  options: { readonly days?: number } = {},
): Promise<AcceptedInvite> {
  const invite = await readInvite(inviteFile);
  await refuseExisting([dir]);
  const role = invite.invite;
  const { from, to } = validityFromToday(options.days);
  const own = await makeKeyPair(`marillc ${role}`, from, to);
  const fingerprint = fingerprintOf(own.certificate);
  const peers = Object.fromEntries(invite.peers.map((peer) => [peer.role, peer.certificate]));
  await writeIdentity(dir, { schema: 1, role, fingerprint, validUntil: to.toISOString() }, own, peers);
  return { role, certificateFile: join(dir, "cert.pem"), fingerprint, validUntil: to };
}

async function readInvite(file: string): Promise<Invite> {
  const refuse = (because: string): never =>
    fail({
      code: "MRL0737",
      message: "this is no usable invite",
      at: file,
      because: [because],
      help: "`marillc keys init` writes one per party, as <role>.invite.json",
    });
  const text = await readFile(file, "utf8").catch((error: NodeJS.ErrnoException) =>
    refuse(`it cannot be read (${error.code})`),
  );
  if (text.length > maxInviteBytes) refuse(`it is longer than ${maxInviteBytes} bytes`);
  try {
    const invite = JSON.parse(text) as Invite;
    if (invite.schema !== 1 || !isRole(invite.invite)) return refuse("it names no role to invite");
    for (const { role, fingerprint, certificate } of invite.peers) {
      if (!isRole(role) || role === invite.invite) return refuse("it names a peer without a role of its own");
      if (fingerprintOf(new X509Certificate(certificate)) !== fingerprint) {
        return refuse(`fingerprint and certificate of the ${role} do not belong together`);
      }
    }
    return invite;
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof TypeError) return refuse("it is no JSON of the expected form");
    if ((error as NodeJS.ErrnoException).code?.startsWith("ERR_"))
      return refuse("it holds something that is no certificate");
    throw error;
  }
}
