/**
 * The folder of one party:
 *   key.pem         its private key; leaves this folder for nobody
 *   cert.pem        its certificate, for the others to pin
 *   identity.json   its role
 *   peers/          certificates of the parties it trusts, as <role>.pem; to trust a new one, put the file there
 */
import { access, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Diagnostic, throwIfAny } from "../../ir/diagnostic.ts";
import type { Role } from "../../runtime/core/index.ts";
import type { KeyPair } from "./x509.ts";

export const roles = ["client", "server", "dealer"] as const satisfies readonly Role[];

export const isRole = (value: unknown): value is Role => roles.includes(value as Role);

export interface IdentityFile {
  readonly schema: 1;
  readonly role: Role;
  /** SHA-256 of the DER of cert.pem. */
  readonly fingerprint: string;
  readonly validUntil: string;
  /** Pins without a file in peers/: fingerprints by role. */
  readonly peers?: Readonly<Partial<Record<Role, string>>>;
}

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

/** Refuses each path that is taken: a key that is overwritten is lost to everybody who pinned it. */
export async function refuseExisting(paths: readonly string[]): Promise<void> {
  const found: Diagnostic[] = [];
  for (const path of paths) {
    if (!(await exists(path))) continue;
    const help = "choose another folder, or move this one away if no party uses it any more";
    found.push({ code: "MRL0730", message: "keys are never overwritten, and this exists already", at: path, help });
  }
  throwIfAny(found);
}

/** Writes a new folder; fails where one of its files exists. */
export async function writeIdentity(
  dir: string,
  identity: IdentityFile,
  own: KeyPair,
  peers: Readonly<Partial<Record<Role, string>>>,
): Promise<void> {
  await mkdir(join(dir, "peers"), { recursive: true, mode: 0o700 });
  await writeFile(join(dir, "key.pem"), own.key, { mode: 0o600, flag: "wx" });
  await writeFile(join(dir, "cert.pem"), own.certificate, { flag: "wx" });
  await writeJson(join(dir, "identity.json"), identity);
  for (const [role, certificate] of Object.entries(peers)) {
    await writeFile(join(dir, "peers", `${role}.pem`), certificate, { flag: "wx" });
  }
}

export const writeJson = (file: string, value: unknown): Promise<void> =>
  writeFile(file, `${JSON.stringify(value, null, 2)}\n`, { flag: "wx" });
