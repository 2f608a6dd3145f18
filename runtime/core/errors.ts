/**
 * Every failure between parties, in one table. `{word}` is filled in where the error is created. Messages hold names,
 * lengths and hashes, never contents: an error must read the same whatever the secrets are.
 */
const causes = {
  peerLeft: {
    code: "MRL0701",
    says: "the {peer} left {where}",
    help: "look for an error at the {peer}; the correlations of this query are used up, start a new query",
  },
  wrongLength: {
    code: "MRL0702",
    says: "the {peer} announced a frame of {found} bytes, but the program expects {expected}",
    help: "both parties must run programs of the same compilation",
  },
  frameTooLarge: {
    code: "MRL0703",
    says: "the {peer} announced a frame of {found} bytes, but at most {expected} are allowed",
    help: "nothing was allocated for it; check which program answers at the other end",
  },
  unexpectedFrame: {
    code: "MRL0704",
    says: "the {peer} sent a frame of kind {found}, but {expected} was expected",
    help: "both parties must run programs of the same compilation",
  },
  timeout: {
    code: "MRL0705",
    says: "received nothing from the {peer} for {seconds} s while {doing}",
    help: "check that the {peer} is running and reachable, or raise the timeout",
  },
  peerAborted: {
    code: "MRL0706",
    says: "the {peer} stopped the session: {theirs}",
    help: "look for the error at the {peer}; the correlations of this query are used up, start a new query",
  },
  closed: { code: "MRL0707", says: "the channel to the {peer} is closed", help: "open a new session" },
  malformed: {
    code: "MRL0708",
    says: "the {peer} sent a malformed {what}",
    help: "both parties must run the same version of marillc",
  },
  programTooCostly: {
    code: "MRL0709",
    says: "the {peer}'s program takes {found} {what}, but this dealer provides at most {expected}",
    help: "start the dealer with a larger {option} if this {peer} may request that much",
  },
  wrongVersion: {
    code: "MRL0710",
    says: "protocol version differs: {mine} here, {theirs} at the {peer}",
    help: "install the same version of marillc at every party",
  },
  programMismatch: {
    code: "MRL0711",
    says: "program differs: {mine} here, {theirs} at the {peer}",
    help: "give every party its folder of the same build directory",
  },
  wrongSetting: {
    code: "MRL0712",
    says: "setting differs: {mine} here, {theirs} at the {peer}",
    help: "compile every party's program with the same --setting",
  },
  wrongRole: {
    code: "MRL0713",
    says: "roles do not match: {mine} here, {theirs} at the {peer}",
    help: "start each party with the command of its own role",
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
    help: "one party has changed public tensors of the build directory; distribute the directory again",
  },
  reusedCorrelation: {
    code: "MRL0717",
    says: "query {query} would reuse correlations: {consumed} was already consumed",
    help: "a mask used twice reveals the difference of two secrets; deal new correlations, never restore old ones from a backup",
  },
  correlationMissing: {
    code: "MRL0718",
    says: "operator {operator} asks for a correlation that was not prepared or was already used",
    help: "each correlation is used once; this session is over, open a new one",
  },
  correlationMismatch: {
    code: "MRL0719",
    says: "operator {operator} asks for a correlation {expected}, but {found} was prepared",
    help: "all parties must run programs of the same compilation",
  },
  wrongPosition: {
    code: "MRL0727",
    says: "the {peer} asks about position {position} of program {program}, but {cached} positions are cached",
    help: "start a session with the prefill program, then ask for one position after the other",
  },
  sessionOver: {
    code: "MRL0728",
    says: "this session failed before, so its cache is dropped",
    help: "open a new session; the cache of a failed session is never reused",
  },
  noServerInput: {
    code: "MRL0729",
    says: "the {peer} has no input of its own for this query that the program accepts",
    help: "name a record that the server has: query --record <name>; the log of the server says what is wrong",
  },
  noOtherHalf: {
    code: "MRL0739",
    says: "the {peer} does not hold the other half of what this query takes over in shares",
    help: "give the residues of one value of one query to both: client and server files have the same name but for the party; the log of the server says what is wrong",
  },
  certificateRefused: {
    code: "MRL0720",
    says: "certificate refused: expected {expected}, found {found}",
    help: "compare fingerprints with the operator of the other party, then trust it: `marillc keys trust <identity> <party> <its cert.pem>`; `marillc keys list <identity>` shows whom this party trusts",
  },
  certificateExpired: {
    code: "MRL0721",
    says: "the certificate of the {peer} ({found}) is valid from {from} to {to}, but the time is {now}",
    help: "make new certificates with `marillc keys init`, and check both clocks",
  },
  ownCertificateRefused: {
    code: "MRL0722",
    says: "{peer} refused this party's certificate as {role} ({found})",
    help: "send this party's cert.pem to {peer}, whose operator runs `marillc keys trust <identity> {role} <cert.pem>`, and reloads with SIGHUP; `marillc keys list <identity>` on either side shows who trusts whom",
  },
  unreachable: {
    code: "MRL0723",
    says: "cannot reach {peer}: {reason}",
    help: "check that {peer} listens at {where} and that no firewall blocks the connection",
  },
  insecure: {
    code: "MRL0724",
    says: "no TLS 1.3 connection with {peer}: {reason}",
    help: "check that marillc listens at {where} and that no proxy in between terminates TLS",
  },
  ownCertificateInvalid: {
    code: "MRL0725",
    says: "this party's certificate ({found}) is valid from {from} to {to}, but the time is {now}",
    help: "make new certificates with `marillc keys init`, and check the clock",
  },
  cannotListen: {
    code: "MRL0726",
    says: "cannot listen at {where}: {reason}",
    help: "choose another port for {option}, or stop the program that listens there",
  },
  busy: {
    code: "MRL0740",
    says: "the {peer} has no room for this session now: {reason}",
    help: "ask again in about {seconds} s; query and generate do so by themselves, as long as --patience allows",
  },
  sessionLimit: {
    code: "MRL0741",
    says: "the session exceeds a limit of this service: {what}",
    help: "ask less in one session, or raise the limit: {option}",
  },
  buildChanged: {
    code: "MRL0744",
    says: "the {peer} cannot load its build as it was when it started: {reason}",
    help: "the folder of the running {peer} has changed: restart the {peer}, and give each build a folder of its own",
  },
} as const satisfies Record<string, { code: string; says: string; help: string }>;

export type SessionCause = keyof typeof causes;
export const sessionCauses: Readonly<Record<SessionCause, { code: string; says: string; help: string }>> = causes;

export interface SessionErrorDetails {
  /** `host:port`, operator or field that the error is about. */
  readonly at?: string;
  readonly help?: string;
  /** Code of the error, where that is the peer's own. */
  readonly code?: string;
  /** Code that the peer sent, if the peer stopped the session. */
  readonly peerCode?: string;
  /** When to ask again, of a service that is busy: ours, or the peer that stopped the session. */
  readonly retryAfterSeconds?: number;
}

const fill = (text: string, facts: Readonly<Record<string, string | number>>): string =>
  text.replace(/\{(\w+)\}/g, (_, name: string) => String(facts[name] ?? "?"));

export function sessionError(
  reason: SessionCause,
  facts: Readonly<Record<string, string | number>>,
  details: Omit<SessionErrorDetails, "help" | "code"> = {},
): SessionError {
  const theirs = reason === "peerAborted" ? toldBy(String(facts.peer), details.peerCode) : undefined;
  const { says, help } = theirs ?? causes[reason];
  const known = { seconds: details.retryAfterSeconds ?? "a few", ...facts };
  return new SessionError(reason, fill(says, known), {
    ...{ ...details, help: fill(help, known) },
    ...(theirs && { code: theirs.code }),
  });
}

/**
 * What a party tells the other that the other can act on: its error then has the code of the sender. The list is closed
 * and the words are of this version, since no text of another party is shown. Every other code is for the operator of
 * the party that stopped.
 */
const told: readonly {
  readonly by: readonly string[];
  readonly code: string;
  readonly says: string;
  readonly help: string;
}[] = [
  { by: ["server", "dealer"], ...causes.busy, says: "the {peer} has no room for this session now" },
  {
    ...{ by: ["server", "dealer"], code: causes.sessionLimit.code },
    says: "the session exceeds a limit of the {peer}",
    help: "ask less in one session; the log of the {peer} names the option that raises the limit",
  },
  { by: ["server"], ...causes.noServerInput },
  { by: ["server"], ...causes.noOtherHalf },
];

const toldBy = (peer: string, peerCode: string | undefined): (typeof told)[number] | undefined =>
  told.find(({ by, code }) => code === peerCode && by.includes(peer));

/** Describes a code that another party sent, without trusting any of its text. */
export function describeCode(code: string): string {
  const known = Object.entries(causes).find(([, cause]) => cause.code === code);
  if (!known) return "for a reason that this version does not know";
  return `${code} (${known[0].replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)})`;
}

/** Whether this party, or the one that stopped the session, has no room for it now: nothing was shared. */
export const isBusy = (error: unknown): error is SessionError =>
  error instanceof SessionError && (error.reason === "busy" || error.peerCode === causes.busy.code);

/** A failure of the network or of another party. It ends the session: no correlation is used for a second attempt. */
export class SessionError extends Error {
  readonly reason: SessionCause;
  /** `MRL07` and two digits. */
  readonly code: string;
  readonly at?: string;
  readonly help?: string;
  readonly peerCode?: string;
  readonly retryAfterSeconds?: number;
  constructor(reason: SessionCause, message: string, details: SessionErrorDetails = {}) {
    super(message);
    this.name = "SessionError";
    this.reason = reason;
    this.code = details.code ?? causes[reason].code;
    if (details.at !== undefined) this.at = details.at;
    if (details.help !== undefined) this.help = details.help;
    if (details.peerCode !== undefined) this.peerCode = details.peerCode;
    if (details.retryAfterSeconds !== undefined) this.retryAfterSeconds = details.retryAfterSeconds;
  }
}
