import { createHash, randomBytes } from "node:crypto";
import type { Role } from "../../runtime/core/index.ts";
import { type HandshakeFields, protocolVersion } from "../../runtime/session/index.ts";
import type { PartyBuild } from "../build/index.ts";

/** What connections are for. */
export const connectionPurposes = { online: "online", correlations: "correlations", probe: "probe" } as const;

/** A party that is named waits so long for another one to come, to send its program, or to plan it. */
export const pairingTimeoutMs = 30_000;

/** 128 bits that no other session has; the client draws them. */
export const newSessionId = (): string => randomBytes(16).toString("hex");

/** Session ids are compared and logged: only what newSessionId makes. */
export const isSessionId = (text: string): boolean => /^[0-9a-f]{32}$/.test(text);

export interface ProgramAgreement {
  readonly program: string;
  readonly setting: string;
  readonly artefacts: string;
}

/** All programs of a build, where it has several, by one digest: parties agree on all that a session may run. */
export const programsHash = ([prefill, ...chunks]: readonly [string, ...string[]]): string =>
  chunks.length === 0
    ? prefill
    : createHash("sha256")
        .update([prefill, ...chunks].join("\n"))
        .digest("hex");

export const agreementOf = ({ manifest, program, decode, buckets }: PartyBuild): ProgramAgreement => ({
  program: programsHash([program.hash, ...(decode ? [decode, ...buckets] : []).map(({ hash }) => hash)]),
  setting: manifest.setting,
  artefacts: manifest.artefactsHash,
});

/** What a party says in its handshakes of a fresh session: no correlation of it was ever used. */
export const handshakeFields = (agreement: ProgramAgreement, role: Role, session: string): HandshakeFields => ({
  version: protocolVersion,
  ...agreement,
  role,
  session,
  query: 0,
  consumed: -1,
});
