import { randomBytes } from "node:crypto";
import type { Role } from "../../runtime/core/index.ts";
import { type HandshakeFields, protocolVersion } from "../../runtime/session/index.ts";
import { type PartyBuild, sha256 } from "../build/index.ts";

/** Purposes of connections, as the greeting names them. */
export const connectionPurposes = { online: "online", correlations: "correlations", probe: "probe" } as const;

/** How long a party waits for another one to connect, or to send its program. */
export const pairingTimeoutMs = 30_000;

/** A fresh session id of 128 random bits; the client draws it. */
export const newSessionId = (): string => randomBytes(16).toString("hex");

/** Accepts only the form that newSessionId makes, because session ids are compared and logged. */
export const isSessionId = (text: string): boolean => /^[0-9a-f]{32}$/.test(text);

export interface ProgramAgreement {
  readonly program: string;
  readonly setting: string;
  readonly artefacts: string;
}

/** One digest of all programs of a build: parties agree on everything that a session may run. */
export const programsHash = ([prefill, ...chunks]: readonly [string, ...string[]]): string =>
  chunks.length === 0 ? prefill : sha256([prefill, ...chunks].join("\n"));

export const agreementOf = ({ manifest, program, decode, buckets }: PartyBuild): ProgramAgreement => ({
  program: programsHash([program.hash, ...(decode ? [decode, ...buckets] : []).map(({ hash }) => hash)]),
  setting: manifest.setting,
  artefacts: manifest.artefactsHash,
});

/** A party's fields in the handshakes of a fresh session, of which no correlation was used. */
export const handshakeFields = (agreement: ProgramAgreement, role: Role, session: string): HandshakeFields => ({
  version: protocolVersion,
  ...agreement,
  role,
  session,
  query: 0,
  consumed: -1,
});
