import { isBusy, SessionError, sessionCauses } from "../../runtime/core/index.ts";
import { handshake } from "../../runtime/session/index.ts";
import { type Channel, defaultMostWaitMs, nowMs } from "../../runtime/transport/index.ts";
import { connect, type Identity } from "../../runtime/transport/node/index.ts";
import type { PartyBuild } from "../build/index.ts";
import type { Endpoint } from "./service.ts";
import { agreementOf, connectionPurposes, handshakeFields, newSessionId } from "./session-agreement.ts";
import { whileThere } from "./while-there.ts";

/** The other parties, as a client reaches them. */
export interface OtherParties {
  readonly part: PartyBuild;
  readonly identity: Identity;
  readonly server: Endpoint;
  readonly dealer: Endpoint;
  /** Seconds to wait for parties that are busy or start again, all attempts together. */
  readonly patienceSeconds?: number;
  /** Called with a line each time that a party is busy, and once while a party is not reached for one reason. */
  readonly onBusy?: (line: string) => void;
}

/** A session in which all parties agree, and nothing was shared yet. */
export interface ReachedParties {
  readonly session: string;
  readonly server: Channel;
  readonly dealer: Channel;
}

export const defaultPatienceSeconds = 300;
/** A party that is there answers within this time, whatever is left of the patience. */
const leastAnswerMs = 30_000;

/**
 * Connects to both parties and agrees with them, and asks again where one is busy or starts again. `channels` always has what is open.
 * @throws SessionError of the last attempt
 */
export async function reachParties(
  { part, identity, server, dealer, patienceSeconds = defaultPatienceSeconds, onBusy }: OtherParties,
  channels: Channel[],
  watched: (channel: Channel) => Channel,
  isAbandoned: () => boolean,
): Promise<ReachedParties> {
  const untilMs = nowMs() + patienceSeconds * 1000;
  const attempt = async (session: string): Promise<ReachedParties> => {
    const mine = handshakeFields(agreementOf(part), "client", session);
    const reach = async (expect: "server" | "dealer", endpoint: Endpoint, purpose: string): Promise<Channel> => {
      const channel = watched(
        await connect({ ...endpoint, identity, expect, purpose, session, mostWaitMs: defaultMostWaitMs }),
      );
      channels.push(channel);
      await handshake(channel, mine, { timeoutMs: Math.max(leastAnswerMs, untilMs - nowMs()) });
      return channel;
    };
    // The server answers when it is this session's turn, so nobody waits at the dealer meanwhile.
    const atServer = await reach("server", server, connectionPurposes.online);
    const reaching = reach("dealer", dealer, connectionPurposes.correlations);
    return { session, server: atServer, dealer: await whileThere(atServer, reaching) };
  };
  const say = createWaitLines(untilMs);
  for (let absences = 0; ; ) {
    const session = newSessionId();
    try {
      return await attempt(session);
    } catch (error) {
      if (!(error instanceof SessionError) || isAbandoned()) throw error;
      const isAway = isAbsence(error);
      if (!isBusy(error) && !isAway) throw error;
      const seconds = isAway ? absenceSeconds(absences++) : error.retryAfterSeconds;
      const waitMs = jitteredMs(seconds ?? leastRetrySeconds, session);
      if (nowMs() + waitMs > untilMs) throw error;
      await Promise.all(channels.splice(0).map((channel) => channel.close()));
      const line = say(error, waitMs);
      if (line !== undefined) onBusy?.(line);
      await new Promise((resolve) => setTimeout(resolve, waitMs));
      if (isAbandoned()) throw error;
    }
  }
}

/**
 * Whether a party is away, as one that starts again, before anything was shared: it is not reached from here or from the
 * server, or it stopped while this session waited for its turn.
 */
const isAbsence = ({ reason, peerCode }: SessionError): boolean =>
  reason === "unreachable" ||
  (reason === "peerAborted" && [sessionCauses.unreachable.code, sessionCauses.closed.code].includes(peerCode ?? ""));

/**
 * What a user reads who waits: at every attempt that a party is busy, since that changes; of a party that is not reached
 * once, what is wrong and how long the attempts go on. An address may be mistyped.
 */
export function createWaitLines(untilMs: number): (error: SessionError, waitMs: number) => string | undefined {
  let said = "";
  return (error, waitMs) => {
    const isAway = isAbsence(error);
    const what = `${error.code} ${error.message}${isAway && error.at ? `, at ${error.at}` : ""}`;
    const isRepeated = isAway && what === said;
    said = what;
    if (isRepeated) return undefined;
    if (!isAway) return `${what}: the next attempt follows in ${(waitMs / 1000).toFixed(1)} s`;
    const left = Math.ceil((untilMs - nowMs()) / 1000);
    return `${what}: attempts go on for up to ${left} s (--patience); Ctrl-C ends them`;
  };
}

const mostAbsenceSeconds = 10;
/** Seconds to the next attempt: a start takes seconds, and many clients may wait for it. */
export const absenceSeconds = (earlier: number): number => Math.min(mostAbsenceSeconds, 2 ** earlier);

/** A service may say 0 seconds; nobody asks it again and again without a pause. */
const leastRetrySeconds = 1;

/** Clients that were refused together do not come back together: from the half of the time to one and a half. */
export function jitteredMs(seconds: number, session: string): number {
  // The session id is uniform, and no longer used for anything else.
  const share = Number.parseInt(session.slice(0, 8), 16) / 2 ** 32;
  return 1000 * Math.max(leastRetrySeconds, seconds) * (0.5 + share);
}
