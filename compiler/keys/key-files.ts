import { type KeyObject, X509Certificate } from "node:crypto";
import { existsSync } from "node:fs";
import { DiagnosticError } from "../../ir/diagnostic.ts";
import { readWholeFile } from "../tensors/files/index.ts";

/** Far more than any key, certificate or invite has. */
const mostBytes = 2 ** 20;

export class KeyFileFault extends Error {}

/** Reads a small file. @throws KeyFileFault what is wrong: a pipe or device is never read */
export function readKeyFile(file: string): string {
  if (!existsSync(file)) throw new KeyFileFault("there is no such file");
  try {
    return new TextDecoder().decode(readWholeFile(file, mostBytes));
  } catch (error) {
    if (error instanceof DiagnosticError) throw new KeyFileFault(error.diagnostics[0]!.message);
    throw error;
  }
}

const fineCurves: ReadonlySet<string> = new Set(["prime256v1", "secp384r1", "secp521r1"]);
const leastRsaBits = 2048;

/** A pin is worth what it takes to find the private key. */
function weaknessOf({ asymmetricKeyType: type, asymmetricKeyDetails }: KeyObject): string | undefined {
  const { namedCurve = "an unknown curve", modulusLength = 0 } = asymmetricKeyDetails ?? {};
  if (type === "ed25519" || type === "ed448") return undefined;
  if (type === "ec") return fineCurves.has(namedCurve) ? undefined : `EC on ${namedCurve}`;
  if (type === "rsa" || type === "rsa-pss")
    return modulusLength >= leastRsaBits ? undefined : `RSA of ${modulusLength} bits`;
  return type ?? "of no kind";
}

/**
 * The one certificate of a PEM text. @throws KeyFileFault for none, for several, beside a private key, or for a key that
 * is too weak
 */
export function readCertificate(text: string): X509Certificate {
  if (/PRIVATE KEY/.test(text)) throw new KeyFileFault("there is a private key beside the certificate");
  if (text.split("BEGIN CERTIFICATE").length > 2) throw new KeyFileFault("there are several certificates");
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(text);
  } catch {
    throw new KeyFileFault("there is no PEM certificate");
  }
  const weakness = weaknessOf(certificate.publicKey);
  if (weakness !== undefined) throw new KeyFileFault(`the key of the certificate is too weak (${weakness})`);
  return certificate;
}
