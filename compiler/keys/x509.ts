import { webcrypto } from "node:crypto";
import { installReflectMetadata } from "./reflect-metadata.ts";

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;

const defaultDays = 730;
const dayMs = 86_400_000;
/** The clocks of the parties may differ by this much. */
const clockSkewMs = 300_000;

export interface KeyPair {
  /** PKCS #8 PEM. */
  readonly key: string;
  /** PEM. */
  readonly certificate: string;
}

/** A period of validity from now on, with room for clock skew. */
export function validityFromToday(days = defaultDays): { from: Date; to: Date } {
  const now = Date.now();
  // Certificates have a resolution of one second.
  return { from: new Date(now - clockSkewMs), to: new Date(Math.floor((now + days * dayMs) / 1000) * 1000) };
}

/** Loads the library on demand: no other command pays for it. */
async function loadX509(): Promise<typeof import("@peculiar/x509")> {
  installReflectMetadata();
  const x509 = await import("@peculiar/x509");
  x509.cryptoProvider.set(webcrypto);
  return x509;
}

/** Makes an ECDSA P-256 key with a self-signed certificate: peers trust it because they pin it, not through a chain. */
export async function makeKeyPair(name: string, from: Date, to: Date): Promise<KeyPair> {
  const x509 = await loadX509();
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const serial = webcrypto.getRandomValues(new Uint8Array(16));
  serial[0]! &= 0x7f; // a positive integer in DER
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: Buffer.from(serial).toString("hex"),
    name: `CN=${name}`,
    notBefore: from,
    notAfter: to,
    keys,
    signingAlgorithm: algorithm,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth, x509.ExtendedKeyUsage.clientAuth]),
    ],
  });
  const pkcs8 = await webcrypto.subtle.exportKey("pkcs8", keys.privateKey);
  return {
    key: `${x509.PemConverter.encode(pkcs8, "PRIVATE KEY")}\n`,
    certificate: `${certificate.toString("pem")}\n`,
  };
}
