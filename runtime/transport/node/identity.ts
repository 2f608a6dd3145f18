import { createHash, X509Certificate } from "node:crypto";
import { type Role, sessionError } from "../../core/index.ts";

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
  /** Fingerprints of the certificates of the other parties. */
  readonly peers: Readonly<Partial<Record<Role, string>>>;
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

/** The role that a peer's certificate is pinned to. @throws SessionError unless it is expected here and valid now. */
export function roleOfPeer(
  identity: Identity,
  certificate: X509Certificate | undefined,
  expected: readonly Role[],
  at: string,
): Role {
  const wanted = expected.map((role) => `the ${role} (${identity.peers[role] ?? "no certificate known here"})`);
  const refuse = (found: string): never => {
    throw sessionError("certificateRefused", { expected: wanted.join(" or ") || "nobody", found }, { at });
  };
  if (!certificate) return refuse("no certificate");
  const found = fingerprintOf(certificate);
  const role = (Object.keys(identity.peers) as Role[]).find((each) => identity.peers[each] === found);
  if (!role) return refuse(`an unknown certificate (${found})`);
  if (!expected.includes(role)) return refuse(`the certificate of the ${role} (${found})`);
  const dates = validity(certificate);
  if (dates) throw sessionError("certificateExpired", { peer: role, found, ...dates }, { at });
  return role;
}
