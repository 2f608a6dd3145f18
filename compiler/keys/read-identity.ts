import { createPrivateKey, X509Certificate } from "node:crypto";
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { type Diagnostic, throwIfAny } from "../../ir/diagnostic.ts";
import type { Role } from "../../runtime/core/index.ts";
import { fingerprintOf, type Identity } from "../../runtime/transport/node/index.ts";
import { type IdentityFile, isRole } from "./identity-folder.ts";

type ReportProblem = (diagnostic: Diagnostic) => void;

/** Reads a party's folder and checks all of it: every fault at once. Faults that one can live with go to `onWarning`. */
export async function readIdentity(dir: string, onWarning: ReportProblem = () => {}): Promise<Identity> {
  const faults: Diagnostic[] = [];
  const report: ReportProblem = (diagnostic) => faults.push(diagnostic);
  const [key, certificate, file] = await Promise.all([
    readText(join(dir, "key.pem"), report),
    readText(join(dir, "cert.pem"), report),
    readText(join(dir, "identity.json"), report),
  ]);
  throwIfAny(faults);
  const keyFile = join(dir, "key.pem");
  await checkPermissions(keyFile, onWarning);
  const identity = parseIdentity(file, join(dir, "identity.json"), report);
  const own = parseCertificate(certificate, join(dir, "cert.pem"), report);
  if (own) checkKey(key, own, keyFile, report);
  if (own) checkDates(own, join(dir, "cert.pem"), report);
  if (own && identity && identity.fingerprint !== fingerprintOf(own)) {
    report({
      code: "MRL0734",
      message: `identity.json speaks of another certificate (${identity.fingerprint})`,
      at: join(dir, "cert.pem"),
      help: "files of two parties may have been mixed; copy the whole folder again",
    });
  }
  const peers = await readPeers(join(dir, "peers"), identity, report, onWarning);
  throwIfAny(faults);
  return { role: identity!.role, key, certificate, peers };
}

async function readText(file: string, report: ReportProblem): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    report({
      code: "MRL0731",
      message: code === "ENOENT" ? "a file of this party's identity is missing" : `cannot be read (${code})`,
      at: file,
      help: "--identity takes the folder of one party, as <dir>/client from `marillc keys init <dir>`",
    });
    return "";
  }
}

async function checkPermissions(file: string, onWarning: ReportProblem): Promise<void> {
  if (process.platform === "win32") return;
  const { mode } = await stat(file);
  if ((mode & 0o077) === 0) return;
  onWarning({
    code: "MRL0735",
    message: `others on this machine can use the private key (mode ${(mode & 0o777).toString(8)})`,
    at: file,
    help: `chmod 600 ${file}`,
  });
}

function parseIdentity(text: string, at: string, report: ReportProblem): IdentityFile | undefined {
  try {
    const value = JSON.parse(text) as IdentityFile;
    const pins = Object.entries(value.peers ?? {});
    const pinned = pins.every(([role, pin]) => isRole(role) && /^[0-9a-f]{64}$/.test(pin));
    if (value.schema === 1 && isRole(value.role) && typeof value.fingerprint === "string" && pinned) return value;
  } catch {
    // Reported below.
  }
  const help =
    'it holds {"schema": 1, "role": "client", "fingerprint": "…"} and optionally "peers" with 64 hex digits each';
  report({ code: "MRL0736", message: "identity.json is not of the expected form", at, help });
  return undefined;
}

function parseCertificate(text: string, at: string, report: ReportProblem): X509Certificate | undefined {
  try {
    return new X509Certificate(text);
  } catch {
    report({ code: "MRL0732", message: "this is no certificate in PEM form", at, help: "copy the file again" });
    return undefined;
  }
}

function checkKey(key: string, certificate: X509Certificate, at: string, report: ReportProblem): void {
  const help = "key.pem and cert.pem are made together; copy the whole folder again";
  try {
    if (certificate.checkPrivateKey(createPrivateKey(key))) return;
    report({ code: "MRL0732", message: "the private key does not belong to cert.pem", at, help });
  } catch {
    report({ code: "MRL0732", message: "this is no private key in PEM form without a password", at, help });
  }
}

function checkDates(certificate: X509Certificate, at: string, report: ReportProblem): void {
  const [from, to, now] = [new Date(certificate.validFrom), new Date(certificate.validTo), new Date()];
  if (from <= now && now <= to) return;
  report({
    code: "MRL0733",
    message: `certificate is valid from ${from.toISOString()} to ${to.toISOString()}, and now it is ${now.toISOString()}`,
    at,
    help: now > to ? "make new ones with `marillc keys init <new dir>` and hand them out" : "check the clock",
  });
}

async function readPeers(
  dir: string,
  identity: IdentityFile | undefined,
  report: ReportProblem,
  onWarning: ReportProblem,
): Promise<Partial<Record<Role, string>>> {
  const peers: Partial<Record<Role, string>> = { ...identity?.peers };
  const files = await readdir(dir).catch(() => []);
  for (const name of files.filter((each) => each.endsWith(".pem")).sort()) {
    const [at, role] = [join(dir, name), name.slice(0, -".pem".length)];
    if (!isRole(role) || role === identity?.role) {
      const message = `${name} names no other party`;
      report({ code: "MRL0734", message, at, help: "files in peers/ are client.pem, server.pem, dealer.pem" });
      continue;
    }
    const certificate = parseCertificate(await readText(at, report), at, report);
    if (!certificate) continue;
    const fingerprint = fingerprintOf(certificate);
    if (peers[role] !== undefined && peers[role] !== fingerprint) {
      const message = `identity.json pins another certificate for the ${role} (${peers[role]})`;
      report({
        code: "MRL0734",
        message,
        at,
        help: "ask the other party for its fingerprint, and remove the wrong one",
      });
    }
    checkDates(certificate, at, onWarning);
    peers[role] = fingerprint;
  }
  if (Object.keys(peers).length === 0) {
    const help = "put the certificates of the others there, as server.pem and so on";
    report({ code: "MRL0731", message: "no other party is known", at: dir, help });
  }
  const pins = Object.values(peers);
  if (new Set(pins).size < pins.length) {
    const help = "each party has a key of its own";
    report({ code: "MRL0734", message: "two parties have the same certificate", at: dir, help });
  }
  return peers;
}
