import { createPrivateKey, type X509Certificate } from "node:crypto";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { counted } from "../../ir/counted.ts";
import { type Diagnostic, fail, throwIfAny } from "../../ir/diagnostic.ts";
import { fingerprintOf, type Identity, type PeerPin, peerText } from "../../runtime/transport/node/index.ts";
import { isRole } from "../build/index.ts";
import type { IdentityFile } from "./identity-folder.ts";
import { KeyFileFault, readCertificate, readKeyFile } from "./key-files.ts";
import { parsePeer, peerForm } from "./peer-name.ts";

type ReportProblem = (diagnostic: Diagnostic) => void;

/**
 * Reads a party's identity folder and checks all of it. Problems that permit a session go to `onWarning`: a key that
 * others can read, a peer's certificate that is not valid now, one that soon is not any more.
 * @throws DiagnosticError MRL0731 to MRL0736 with all problems at once
 */
export async function readIdentity(dir: string, onWarning: ReportProblem = () => {}): Promise<Identity> {
  const identity = await readIdentityFolder(dir, onWarning, "refuse");
  if (identity.peers.length > 0) return identity;
  return fail({
    code: "MRL0731",
    message: "expected certificates of other parties, found none",
    at: join(dir, "peers"),
    help: `trust those that the other parties sent: marillc keys trust ${dir} <role> <certificate.pem>`,
  });
}

/** What is read of an identity folder: the party's name too. */
export interface OwnIdentity extends Identity {
  readonly name?: string;
}

/** The same for a folder whose party does not know the others yet, or whose certificate is to be replaced. */
export async function readIdentityFolder(
  dir: string,
  onWarning: ReportProblem = () => {},
  expired: "refuse" | "accept" = "accept",
): Promise<OwnIdentity> {
  const problems: Diagnostic[] = [];
  const report: ReportProblem = (diagnostic) => problems.push(diagnostic);
  const [key, certificate, file] = ["key.pem", "cert.pem", "identity.json"].map((name) =>
    readText(join(dir, name), report),
  ) as [string, string, string];
  throwIfAny(problems);
  const keyFile = join(dir, "key.pem");
  await checkPermissions(keyFile, onWarning);
  const identity = parseIdentity(file, join(dir, "identity.json"), report);
  const own = parseCertificate(certificate, join(dir, "cert.pem"), report);
  if (own) checkKey(key, own, keyFile, report);
  if (own && expired === "refuse") checkDates(own, join(dir, "cert.pem"), report);
  if (own) warnOfExpiry(own, join(dir, "cert.pem"), `marillc keys renew ${dir} <new dir>`, onWarning);
  if (own && identity && identity.fingerprint !== fingerprintOf(own)) {
    report({
      code: "MRL0734",
      message: `expected the certificate that identity.json names (${identity.fingerprint}), found ${fingerprintOf(own)}`,
      at: join(dir, "cert.pem"),
      help: "copy the party's whole folder again: files of two parties may be mixed",
    });
  }
  const peers = await readPeers(join(dir, "peers"), identity, report, onWarning);
  throwIfAny(problems);
  const { role, name } = identity!;
  return { role, ...(name !== undefined && { name }), key, certificate, peers };
}

function readText(file: string, report: ReportProblem): string {
  try {
    return readKeyFile(file);
  } catch (error) {
    if (!(error instanceof KeyFileFault)) throw error;
    report({
      code: "MRL0731",
      message: `expected a file of this party's identity: ${error.message}`,
      at: file,
      help: "name the folder of one party, such as <dir>/client of `marillc keys init <dir>`: --identity <folder>",
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
    message: `expected mode 600 of the private key, found ${(mode & 0o777).toString(8)}: other users can read it`,
    at: file,
    help: `chmod 600 ${file}`,
  });
}

function parseIdentity(text: string, at: string, report: ReportProblem): IdentityFile | undefined {
  try {
    const value = JSON.parse(text) as IdentityFile;
    const pins = Object.entries(value.peers ?? {});
    const pinned = pins.every(([peer, pin]) => parsePeer(peer) && /^[0-9a-f]{64}$/.test(pin));
    const named = isRole(value.role) && (value.name === undefined || parsePeer(peerText(value)) !== undefined);
    if (value.schema === 1 && named && typeof value.fingerprint === "string" && pinned) return value;
  } catch {
    // Text that is not JSON gets the same message.
  }
  const help =
    'write {"schema": 1, "role": "client", "fingerprint": "…"}, and optionally "peers" with 64 hex digits each';
  report({ code: "MRL0736", message: "expected an identity, found JSON or text of another form", at, help });
  return undefined;
}

function parseCertificate(text: string, at: string, report: ReportProblem): X509Certificate | undefined {
  try {
    return readCertificate(text);
  } catch (error) {
    if (!(error instanceof KeyFileFault)) throw error;
    const help = "copy the file again; of another party, remove it, and trust the certificate that the party sends";
    report({ code: "MRL0732", message: `expected one certificate: ${error.message}`, at, help });
    return undefined;
  }
}

function checkKey(key: string, certificate: X509Certificate, at: string, report: ReportProblem): void {
  const help = "copy the party's whole folder again: key.pem and cert.pem are a pair";
  try {
    if (certificate.checkPrivateKey(createPrivateKey(key))) return;
    report({ code: "MRL0732", message: "the private key does not belong to cert.pem", at, help });
  } catch {
    report({ code: "MRL0732", message: "not a PEM private key without a password", at, help });
  }
}

function checkDates(certificate: X509Certificate, at: string, report: ReportProblem): void {
  const [from, to, now] = [new Date(certificate.validFrom), new Date(certificate.validTo), new Date()];
  if (from <= now && now <= to) return;
  report({
    code: "MRL0733",
    message: `expected a certificate that is valid at ${now.toISOString()}, found one for ${from.toISOString()} to ${to.toISOString()}`,
    at,
    help:
      now > to
        ? "its party makes a new key with `marillc keys renew <identity> <new dir>`, and sends the others its certificate"
        : "check the clock",
  });
}

/** Days before the end of a certificate from which it is warned of. */
const soonDays = 30;
const dayMs = 86_400_000;

function warnOfExpiry(certificate: X509Certificate, at: string, renew: string, onWarning: ReportProblem): void {
  const daysLeft = Math.floor((new Date(certificate.validTo).getTime() - Date.now()) / dayMs);
  if (daysLeft < 0 || daysLeft >= soonDays) return;
  onWarning({
    code: "MRL0742",
    message: `the certificate expires in ${counted(daysLeft, "day")}, at ${new Date(certificate.validTo).toISOString()}`,
    at,
    help: `replace it in time: ${renew}; docs/operating.md says how without an interruption`,
  });
}

async function readPeers(
  dir: string,
  identity: IdentityFile | undefined,
  report: ReportProblem,
  onWarning: ReportProblem,
): Promise<readonly PeerPin[]> {
  const peers = new Map(Object.entries(identity?.peers ?? {}));
  const files = await readdir(dir).catch(() => []);
  for (const name of files.filter((each) => each.endsWith(".pem")).sort()) {
    const [at, peer] = [join(dir, name), name.slice(0, -".pem".length)];
    const party = parsePeer(peer);
    if (!party || party.role === identity?.role) {
      const message = `expected the certificate of another party, found ${name}`;
      report({ code: "MRL0734", message, at, help: `rename it to ${peerForm}, with .pem behind, or remove it` });
      continue;
    }
    const text = readText(at, report);
    const certificate = text === "" ? undefined : parseCertificate(text, at, report);
    if (!certificate) continue;
    const fingerprint = fingerprintOf(certificate);
    const pinned = peers.get(peer);
    if (pinned !== undefined && pinned !== fingerprint) {
      const message = `expected the certificate of the ${peer} that identity.json pins (${pinned}), found ${fingerprint}`;
      const help = `ask the ${peer} for its fingerprint, and remove the wrong pin`;
      report({ code: "MRL0734", message, at, help });
    }
    checkDates(certificate, at, onWarning);
    warnOfExpiry(certificate, at, `ask the ${peer} for its new certificate`, onWarning);
    peers.set(peer, fingerprint);
  }
  if (new Set(peers.values()).size < peers.size) {
    const help = "get each party's own certificate: no two parties share a key";
    report({ code: "MRL0734", message: "expected a certificate for each party, found one for two", at: dir, help });
  }
  return [...peers].map(([peer, fingerprint]) => ({ ...parsePeer(peer)!, fingerprint }));
}
