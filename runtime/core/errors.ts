/**
 * Everything that can go wrong between parties, in one table. `{word}` is filled in where the error is made.
 * Messages hold names, lengths and hashes, never contents: an error must say the same whatever the secrets are.
 */
const causes = {
  peerLeft: {
    code: "MRL0701",
    says: "the {peer} left {where}",
    help: "look for an error at the {peer}; correlations of this query are burnt, start a new query",
  },
  wrongLength: {
    code: "MRL0702",
    says: "the {peer} announced a frame of {found} bytes where the program has one of {expected}",
    help: "both parties must run programs of the same compilation",
  },
  frameTooLarge: {
    code: "MRL0703",
    says: "the {peer} announced a frame of {found} bytes where at most {expected} are allowed",
    help: "nothing was allocated for it; check what really answers at the other end",
  },
  unexpectedFrame: {
    code: "MRL0704",
    says: "the {peer} sent a frame of kind {found} where {expected} was due",
    help: "both parties must run programs of the same compilation",
  },
  timeout: {
    code: "MRL0705",
    says: "nothing from the {peer} for {seconds} s while {doing}",
    help: "check that the {peer} is running and reachable, or raise the timeout",
  },
  peerAborted: {
    code: "MRL0706",
    says: "the {peer} stopped the session: {theirs}",
    help: "look for the error at the {peer}; correlations of this query are burnt, start a new query",
  },
  closed: { code: "MRL0707", says: "the channel to the {peer} is closed", help: "open a new session" },
  malformed: {
    code: "MRL0708",
    says: "the {peer} sent a {what} that cannot be read",
    help: "both parties must run the same version of marillc",
  },
  programTooCostly: {
    code: "MRL0709",
    says: "the {peer}'s program takes {found} bytes of correlations per query, and this dealer gives at most {expected}",
    help: "start the dealer with a larger --max-bytes if this {peer} may ask for so much",
  },
  wrongVersion: {
    code: "MRL0710",
    says: "protocol version differs: {mine} here, {theirs} at the {peer}",
    help: "install the same version of marillc at every party",
  },
  programMismatch: {
    code: "MRL0711",
    says: "program differs: {mine} here, {theirs} at the {peer}",
    help: "hand out the folders of one and the same build directory",
  },
  wrongSetting: {
    code: "MRL0712",
    says: "setting differs: {mine} here, {theirs} at the {peer}",
    help: "compile every party's program with the same --setting",
  },
  wrongRole: {
    code: "MRL0713",
    says: "roles do not fit: {mine} here, {theirs} at the {peer}",
    help: "each party starts the command of its own role",
  },
  wrongSession: {
    code: "MRL0714",
    says: "session differs: {mine} here, {theirs} at the {peer}",
    help: "start the query again; two queries may have been mixed up",
  },
  wrongQuery: {
    code: "MRL0715",
    says: "query counter differs: {mine} here, {theirs} at the {peer}",
    help: "start the query again; a frame of an earlier query may have been replayed",
  },
  artefactMismatch: {
    code: "MRL0716",
    says: "public artefacts differ: {mine} here, {theirs} at the {peer}",
    help: "public tensors of the build directory were changed at one party; hand them out again",
  },
  reusedCorrelation: {
    code: "MRL0717",
    says: "query {query} would use correlations a second time: {consumed} was already consumed",
    help: "a mask used twice tells the difference of two secrets; deal new correlations, never restore old ones from a backup",
  },
  correlationMissing: {
    code: "MRL0718",
    says: "operator {operator} asks for a correlation that was not prepared or was used before",
    help: "each correlation is used once; the session is over, open a new one",
  },
  correlationMismatch: {
    code: "MRL0719",
    says: "operator {operator} asks for a correlation {expected} and was prepared {found}",
    help: "all parties must run programs of the same compilation",
  },
  wrongPosition: {
    code: "MRL0727",
    says: "the {peer} asks about position {position} of program {program}, and {cached} positions are cached",
    help: "a session starts with the whole window, and goes on place by place in order",
  },
  sessionOver: {
    code: "MRL0728",
    says: "this session has failed before: what it kept is dropped",
    help: "open a new session; a cache is never taken over from one that failed",
  },
  certificateRefused: {
    code: "MRL0720",
    says: "certificate refused: expected {expected}, found {found}",
    help: "compare fingerprints with the people at the other end; peers/ in the identity folder lists those that are trusted",
  },
  certificateExpired: {
    code: "MRL0721",
    says: "certificate of the {peer} ({found}) is valid from {from} to {to}, and now it is {now}",
    help: "make new certificates with `marillc keys init`, and check both clocks",
  },
  ownCertificateRefused: {
    code: "MRL0722",
    says: "the {peer} refused our certificate as {role} ({found})",
    help: "the {peer} must have this certificate in its peers/ folder, for this role",
  },
  unreachable: {
    code: "MRL0723",
    says: "cannot reach the {peer}: {reason}",
    help: "check that the {peer} listens at {where} and that no firewall is between",
  },
  insecure: {
    code: "MRL0724",
    says: "no TLS 1.3 connection with {peer}: {reason}",
    help: "check that marillc listens at {where}, and nothing in between ends TLS",
  },
  ownCertificateInvalid: {
    code: "MRL0725",
    says: "our own certificate ({found}) is valid from {from} to {to}, and now it is {now}",
    help: "make new certificates with `marillc keys init`, and check the clock",
  },
  cannotListen: {
    code: "MRL0726",
    says: "cannot listen at {where}: {reason}",
    help: "choose another port, or stop what listens there",
  },
} as const satisfies Record<string, { code: string; says: string; help: string }>;

export type SessionCause = keyof typeof causes;
export const sessionCauses: Readonly<Record<SessionCause, { code: string; says: string; help: string }>> = causes;

export interface SessionErrorDetails {
  /** host:port, operator or field that it is about. */
  readonly at?: string;
  readonly help?: string;
  /** Code that the peer gave, when it was the peer who stopped. */
  readonly peerCode?: string;
}

const fill = (text: string, facts: Readonly<Record<string, string | number>>): string =>
  text.replace(/\{(\w+)\}/g, (_, name: string) => String(facts[name] ?? "?"));

export function sessionError(
  reason: SessionCause,
  facts: Readonly<Record<string, string | number>>,
  details: Omit<SessionErrorDetails, "help"> = {},
): SessionError {
  const { says, help } = causes[reason];
  return new SessionError(reason, fill(says, facts), { ...details, help: fill(help, facts) });
}

/** What a code of another party means, without trusting any of its text. */
export function describeCode(code: string): string {
  const known = Object.entries(causes).find(([, cause]) => cause.code === code);
  if (!known) return "for a reason that this version does not know";
  return `${code} (${known[0].replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)})`;
}

/** A failure of the network or of another party. It ends the session for good: nothing is retried with the same correlations. */
export class SessionError extends Error {
  readonly reason: SessionCause;
  /** `MRL07` and two digits. */
  readonly code: string;
  readonly at?: string;
  readonly help?: string;
  readonly peerCode?: string;
  constructor(reason: SessionCause, message: string, details: SessionErrorDetails = {}) {
    super(message);
    this.name = "SessionError";
    this.reason = reason;
    this.code = causes[reason].code;
    if (details.at !== undefined) this.at = details.at;
    if (details.help !== undefined) this.help = details.help;
    if (details.peerCode !== undefined) this.peerCode = details.peerCode;
  }
}
