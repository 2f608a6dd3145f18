/**
 * The identity folder of one party:
 *   key.pem         its private key, which never leaves this folder
 *   cert.pem        its certificate, which the other parties pin
 *   identity.json   its role, and its name where its role has several parties
 *   peers/          certificates of trusted parties, as <role>.pem or <role>.<name>.pem
 *   revoked/        certificates that were trusted, for the record: nothing reads them
 * `keys trust` and `keys revoke` change peers/; a service reads the folder again at SIGHUP.
 */
import { access, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Diagnostic, throwIfAny } from "../../ir/diagnostic.ts";
import type { Role } from "../../runtime/core/index.ts";
import { makeFolder } from "../tensors/files/index.ts";
import { peerFile } from "./peer-name.ts";
import type { KeyPair } from "./x509.ts";

export interface IdentityFile {
  readonly schema: 1;
  readonly role: Role;
  readonly name?: string;
  /** SHA-256 of the DER of cert.pem. */
  readonly fingerprint: string;
  readonly validUntil: string;
  /** Pins of peers without a file in peers/: fingerprints by `<role>` or `<role>.<name>`. */
  readonly peers?: Readonly<Record<string, string>>;
}

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

/**
 * Refuses every path that exists: an overwritten key is useless to all who pinned it.
 * @throws DiagnosticError MRL0730
 */
export async function refuseExisting(paths: readonly string[]): Promise<void> {
  const found: Diagnostic[] = [];
  for (const path of paths) {
    if (!(await exists(path))) continue;
    const help = "name another folder, or move this one away if no party uses it any more";
    found.push({ code: "MRL0730", message: "expected a new path for keys, found an existing one", at: path, help });
  }
  throwIfAny(found);
}

/**
 * Writes what is new at these paths. Where that fails half-way, as on a full disk, nothing stays behind: half an identity
 * looks like a whole one.
 */
export async function allOrNothing(paths: readonly string[], write: () => Promise<unknown>): Promise<void> {
  try {
    await write();
  } catch (error) {
    // Somebody else made the path meanwhile: what is there is theirs.
    if ((error as NodeJS.ErrnoException).code !== "EEXIST")
      for (const path of paths) await rm(path, { recursive: true, force: true });
    throw error;
  }
}

/** Writes a new identity folder, with the certificates of `peers` by name; fails if one of its files exists. */
export async function writeIdentity(
  dir: string,
  identity: IdentityFile,
  own: KeyPair,
  peers: Readonly<Record<string, string>>,
): Promise<void> {
  makeFolder(join(dir, "peers"), 0o700);
  await writeFile(join(dir, "key.pem"), own.key, { mode: 0o600, flag: "wx" });
  await writeFile(join(dir, "cert.pem"), own.certificate, { flag: "wx" });
  await writeJson(join(dir, "identity.json"), identity);
  for (const [peer, certificate] of Object.entries(peers)) {
    await writeFile(peerFile(dir, peer), certificate, { flag: "wx" });
  }
}

export const writeJson = (file: string, value: unknown): Promise<void> =>
  writeFile(file, `${JSON.stringify(value, null, 2)}\n`, { flag: "wx" });
