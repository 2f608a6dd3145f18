import { type Role, type SessionCause, type SessionError, sessionError } from "../core/index.ts";
import type { Channel } from "../transport/index.ts";

export const protocolVersion = "marillc/3";

/** Facts that two parties must agree on before the first share. */
export interface HandshakeFields {
  /** `protocolVersion`, and anything else that must be equal between releases. */
  readonly version: string;
  /** Hash of the compiled program, hex. */
  readonly program: string;
  /** "2pc-dealer", … */
  readonly setting: string;
  readonly role: Role;
  readonly session: string;
  /** Index of this query; its correlations are used for nothing else. */
  readonly query: number;
  /** Hash over every public tensor and the manifest, hex. */
  readonly artefacts: string;
  /** Highest query whose correlations this party ever began to use (its ledger); −1 for none. */
  readonly consumed: number;
}

export interface HandshakeRules {
  readonly timeoutMs?: number;
  /**
   * With it this party answers: it waits for this after the peer's fields have come and agree, and before it says its
   * own. The peer waits for its turn so.
   */
  readonly beforeAnswer?: () => Promise<void>;
}

/** In the order in which differences are reported: a difference that explains others comes first. */
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
 * Exchanges and compares what both sides are about to run, which peer they expect, and which correlations they have
 * used. The check is symmetric: both sides compare the same two transcripts, so both fail with the same code before
 * either sends a share. It takes half a round trip; the channel authenticates.
 * @throws SessionError naming the first field that differs.
 */
export async function handshake(
  channel: Channel,
  mine: HandshakeFields,
  rules: HandshakeRules = {},
): Promise<HandshakeFields> {
  const { timeoutMs, beforeAnswer } = rules;
  const say = (): Promise<void> => channel.send(encode({ ...mine, peer: channel.peer }), "control");
  if (!beforeAnswer) await say();
  const bytes = await channel.receive({
    kind: "control",
    maxBytes: maxTranscriptBytes,
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
  });
  const theirs = decode(bytes);
  const error = theirs
    ? mismatch({ ...mine, peer: channel.peer }, theirs, channel.peer)
    : sessionError("malformed", { peer: channel.peer, what: "handshake" });
  if (beforeAnswer) {
    // A peer that differs is not kept waiting: it finds the same difference in what this party says.
    if (!error) await beforeAnswer();
    await say();
  }
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
  // Each role must be the one that the other side's certificate check found; two parties never have the same role.
  if (theirs.role !== mine.peer || theirs.peer !== mine.role || mine.role === theirs.role) {
    const says = (transcript: Transcript): string => `${transcript.role} speaking to ${transcript.peer}`;
    return sessionError("wrongRole", { peer, mine: says(mine), theirs: says(theirs) }, { at: "role" });
  }
  const consumed = Math.max(mine.consumed, theirs.consumed);
  if (mine.query > consumed) return undefined;
  return sessionError("reusedCorrelation", { query: mine.query, consumed }, { at: "query" });
}

/** The first twelve characters, or twelve characters around the first difference. */
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

/** Canonical encoding: the order of fields is fixed, so equal transcripts are equal bytes. */
function encode(fields: Transcript): Uint8Array {
  const { version, program, setting, role, peer, session, query, artefacts, consumed } = fields;
  const bytes = new TextEncoder().encode(
    JSON.stringify({ version, program, setting, role, peer, session, query, artefacts, consumed }),
  );
  if (!isTranscript(fields) || bytes.length > maxTranscriptBytes) {
    throw new RangeError(
      `handshake fields have at most ${maxTextLength} printable ASCII characters, and counters are integers`,
    );
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
  // Printable ASCII only: error messages show these texts.
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
