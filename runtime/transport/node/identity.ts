import { createHash, X509Certificate } from "node:crypto";
import { type Role, sessionError } from "../../core/index.ts";

/** A certificate that is trusted, and whose it is. */
export interface PeerPin {
  readonly role: Role;
  /** Tells several parties of one role apart, or a party's old certificate from its new one. */
  readonly name?: string;
  /** SHA-256 of the certificate. */
  readonly fingerprint: string;
}

/** `client`, or `client.alice`. */
export const peerText = ({ role, name }: Pick<PeerPin, "role" | "name">): string =>
  name === undefined ? role : `${role}.${name}`;

/**
 * A party's own key and its trusted peers. There are no authorities: a certificate is trusted because it is listed
 * here.
 */
export interface Identity {
  readonly role: Role;
  /** PEM. */
  readonly key: string;
  /** PEM. */
  readonly certificate: string;
  /** Certificates of the other parties; a role may have several. */
  readonly peers: readonly PeerPin[];
}

/** SHA-256 of the certificate's DER, in hex. */
export function fingerprintOf(certificate: X509Certificate | string): string {
  const { raw } = typeof certificate === "string" ? new X509Certificate(certificate) : certificate;
  return createHash("sha256").update(raw).digest("hex");
}

function validity(certificate: X509Certificate): { from: string; to: string; now: string } | undefined {
  const [from, to, now] = [new Date(certificate.validFrom), new Date(certificate.validTo), new Date()];
  if (from <= now && now <= to) return undefined;
  return { from: from.toISOString(), to: to.toISOString(), now: now.toISOString() };
}

/**
 * Refuses to start with a certificate that every peer would refuse. @throws SessionError outside its validity period.
 */
export function checkOwnCertificate(identity: Identity): void {
  const certificate = new X509Certificate(identity.certificate);
  const dates = validity(certificate);
  if (dates) throw sessionError("ownCertificateInvalid", { found: fingerprintOf(certificate), ...dates });
}

/** More fingerprints than these do not help whoever compares. */
const mostListed = 4;

function pinsText({ peers }: Identity, role: Role): string {
  const known = peers.filter((pin) => pin.role === role).map(({ fingerprint }) => fingerprint);
  const more = known.length > mostListed ? `, and ${known.length - mostListed} more` : "";
  return `the ${role} (${known.slice(0, mostListed).join(", ") || "no certificate known here"}${more})`;
}

/** The pin of a certificate, if it has one. */
export const pinOf = ({ peers }: Identity, fingerprint: string): PeerPin | undefined =>
  peers.find((pin) => pin.fingerprint === fingerprint);

/** The peer that a certificate is pinned to. @throws SessionError unless it is expected here and valid now. */
export function peerOf(
  identity: Identity,
  certificate: X509Certificate | undefined,
  expected: readonly Role[],
  at: string,
): PeerPin {
  const refuse = (found: string): never => {
    const wanted = expected.map((role) => pinsText(identity, role)).join(" or ") || "nobody";
    throw sessionError("certificateRefused", { expected: wanted, found }, { at });
  };
  if (!certificate) return refuse("no certificate");
  const found = fingerprintOf(certificate);
  const pin = pinOf(identity, found);
  if (!pin) return refuse(`an unknown certificate (${found})`);
  if (!expected.includes(pin.role)) return refuse(`the certificate of the ${pin.role} (${found})`);
  const dates = validity(certificate);
  if (dates) throw sessionError("certificateExpired", { peer: peerText(pin), found, ...dates }, { at });
  return pin;
}
