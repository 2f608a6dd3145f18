import type { Role } from "../core/index.ts";
import { type SessionCause, type SessionError, sessionError } from "../core/index.ts";
import type { Channel } from "../transport/index.ts";

export const protocolVersion = "marillc/1";

/** What two parties must agree on before the first share. */
export interface HandshakeFields {
  /** `protocolVersion`, and what else a release wants to be equal. */
  readonly version: string;
  /** Hash of the compiled program, hex. */
  readonly program: string;
  /** "2pc-dealer", … */
  readonly setting: string;
  readonly role: Role;
  readonly session: string;
  /** Number of this query; its correlations are used for nothing else. */
  readonly query: number;
  /** Hash over every public tensor and the manifest, hex. */
  readonly artefacts: string;
  /** Highest query whose correlations this party has ever begun to use (its ledger); −1 for none. */
  readonly consumed: number;
}

export interface HandshakeRules {
  readonly timeoutMs?: number;
}

/** In the order in which differences are reported: what explains the others comes first. */
const mustAgree: readonly (readonly [keyof HandshakeFields, SessionCause])[] = [
  ["version", "wrongVersion"],
  ["program", "programMismatch"],
  ["setting", "wrongSetting"],
  ["artefacts", "artefactMismatch"],
  ["session", "wrongSession"],
  ["query", "wrongQuery"],
];

const maxTranscriptBytes = 1024;
const maxTextLength = 128;
const roles: readonly Role[] = ["client", "server", "dealer"];

type Transcript = HandshakeFields & { readonly peer: Role };

/**
 * Both sides say what they are about to run, to whom they believe to speak, and which correlations they have used.
 * The check is symmetric: both hold the same two transcripts when they judge, so both fail, with the same code, before
 * either sends a share. Half a round trip; authenticity is the channel's.
 */
export async function handshake(
  channel: Channel,
  mine: HandshakeFields,
  rules: HandshakeRules = {},
): Promise<HandshakeFields> {
  const { timeoutMs } = rules;
  await channel.send(encode({ ...mine, peer: channel.peer }), "control");
  const bytes = await channel.receive({
    kind: "control",
    maxBytes: maxTranscriptBytes,
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
  });
  const theirs = decode(bytes);
  const error = theirs
    ? mismatch({ ...mine, peer: channel.peer }, theirs, channel.peer)
    : sessionError("malformed", { peer: channel.peer, what: "handshake" });
  if (error) {
    await channel.close(error);
    throw error;
  }
  const { peer: _, ...fields } = theirs as Transcript;
  return fields;
}

function mismatch(mine: Transcript, theirs: Transcript, peer: Role): SessionError | undefined {
  for (const [field, reason] of mustAgree) {
    if (mine[field] === theirs[field]) continue;
    return sessionError(reason, { peer, ...shortForms(String(mine[field]), String(theirs[field])) }, { at: field });
  }
  // Each role must be the one that the other side's certificate check found; two parties never share one.
  if (theirs.role !== mine.peer || theirs.peer !== mine.role || mine.role === theirs.role) {
    const says = (transcript: Transcript): string => `${transcript.role} speaking to ${transcript.peer}`;
    return sessionError("wrongRole", { peer, mine: says(mine), theirs: says(theirs) }, { at: "role" });
  }
  const consumed = Math.max(mine.consumed, theirs.consumed);
  if (mine.query > consumed) return undefined;
  return sessionError("reusedCorrelation", { query: mine.query, consumed }, { at: "query" });
}

/** Twelve characters, or as many as show where the two differ. */
function shortForms(mine: string, theirs: string): { mine: string; theirs: string } {
  let common = 0;
  while (common < mine.length && mine[common] === theirs[common]) common++;
  const start = common < 12 ? 0 : common - 4;
  const short = (text: string): string => {
    const cut = text.slice(start, start + 12);
    return `${start > 0 ? "…" : ""}${cut}${start + 12 < text.length ? "…" : ""}` || "nothing";
  };
  return { mine: short(mine), theirs: short(theirs) };
}

/** Canonical: fixed order of fields, so equal transcripts are equal bytes. */
function encode(fields: Transcript): Uint8Array {
  const { version, program, setting, role, peer, session, query, artefacts, consumed } = fields;
  const bytes = new TextEncoder().encode(
    JSON.stringify({ version, program, setting, role, peer, session, query, artefacts, consumed }),
  );
  if (!isTranscript(fields) || bytes.length > maxTranscriptBytes) {
    throw new RangeError(`handshake fields are at most ${maxTextLength} plain characters, counters are integers`);
  }
  return bytes;
}

function decode(bytes: Uint8Array): Transcript | undefined {
  try {
    const value: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    return isTranscript(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isTranscript(value: unknown): value is Transcript {
  if (typeof value !== "object" || value === null) return false;
  const fields = value as Record<keyof Transcript, unknown>;
  // Printable ASCII only: these texts are shown to people in errors.
  const isText = (text: unknown): boolean =>
    typeof text === "string" && text.length <= maxTextLength && /^[\x20-\x7e]*$/.test(text);
  return (
    [fields.version, fields.program, fields.setting, fields.session, fields.artefacts].every(isText) &&
    roles.includes(fields.role as Role) &&
    roles.includes(fields.peer as Role) &&
    Number.isSafeInteger(fields.query) &&
    (fields.query as number) >= 0 &&
    Number.isSafeInteger(fields.consumed) &&
    (fields.consumed as number) >= -1
  );
}
