import { counted } from "../../ir/counted.ts";
import { type SessionError, sessionError } from "../../runtime/core/index.ts";
import { handshake } from "../../runtime/session/index.ts";
import type { Channel } from "../../runtime/transport/index.ts";
import { assertTrafficPredicted, meterTraffic } from "../run/index.ts";
import { type Admission, createAdmission, type Turn } from "./admission.ts";
import { type DealerJob, type DealtSession, dealerWork } from "./dealer-work.ts";
import { createPairing, type PartyPair } from "./pairing.ts";
import { receiveProgram } from "./program-frame.ts";
import { defaultProgramLimits, type ProgramLimits } from "./program-plan.ts";
import {
  type Arrival,
  type Service,
  type ServiceOptions,
  secondsSince,
  shortSessionId,
  startService,
  tell,
  withCleanup,
} from "./service.ts";
import { limitsOf, type ServiceLimits } from "./service-limits.ts";
import { connectionPurposes, handshakeFields, pairingTimeoutMs } from "./session-agreement.ts";
import { guardSession } from "./session-guard.ts";
import { createSessionPool, inlinePool, reasonOf, type SessionPool } from "./session-pool.ts";

export interface DealerOptions extends ServiceOptions, Partial<ProgramLimits> {
  /** Milliseconds that a party waits for the other one of its session. */
  readonly pairingMs?: number;
}

interface Dealer {
  readonly options: DealerOptions;
  readonly limits: ServiceLimits;
  readonly programLimits: ProgramLimits;
  readonly admission: Admission;
  readonly pool: SessionPool;
}

/** Starts the dealer. It pairs the two parties of each session and deals for them; it keeps nothing of a session. */
export async function startDealer(options: DealerOptions): Promise<Service> {
  const { pairingMs = pairingTimeoutMs } = options;
  const limits = limitsOf(options.limits);
  const dealer: Dealer = {
    options,
    limits,
    programLimits: programLimitsOf(options),
    admission: createAdmission(limits, "dealer"),
    pool: limits.workers > 0 ? createSessionPool({ kind: "dealer" }, limits.workers) : inlinePool(dealerWork()),
  };
  const pairing = createPairing({
    timeoutMs: pairingMs,
    most: limits.maxSessions + limits.maxWaiting,
    onAlone: (session, channel) => {
      const missing = channel.peer === "client" ? "server" : "client";
      const about = { session: shortSessionId(session), peer: channel.peer };
      tell(options, `session ${about.session}: the ${missing} did not come`, {
        event: "alone",
        level: "warn",
        ...about,
      });
      const doing = "waiting for the other party";
      void channel.close(sessionError("timeout", { peer: missing, seconds: pairingMs / 1000, doing }));
    },
  });
  const arrivals = new WeakMap<Channel, Arrival>();
  const service = await startService(options, limits, {
    accepts: ["client", "server"],
    purpose: connectionPurposes.correlations,
    onSession: async (arrival) => {
      const { channel, session } = arrival;
      arrivals.set(channel, arrival);
      const pair = pairing.join(session, channel);
      if (pair) await serveSession(dealer, pair, session, arrivals.get(pair.client)!, arrivals.get(pair.server)!);
    },
    counts: () => {
      const { computing, waiting } = dealer.admission.counts();
      return { computing, waiting: waiting + pairing.size() };
    },
    isExpected: ({ peer }, session) => pairing.awaits(session, peer),
  });
  return withCleanup(service, async () => {
    pairing.close();
    await dealer.pool.close();
  });
}

const programLimitsOf = (given: Partial<ProgramLimits>): ProgramLimits =>
  Object.fromEntries(
    Object.entries(defaultProgramLimits).map(([name, fallback]) => [
      name,
      given[name as keyof ProgramLimits] ?? fallback,
    ]),
  ) as unknown as ProgramLimits;

/** Deals for one session. It counts for the server, whose program it runs. */
async function serveSession(
  dealer: Dealer,
  pair: PartyPair,
  session: string,
  client: Arrival,
  { identity }: Arrival,
): Promise<void> {
  const startedMs = performance.now();
  const stop = async (reason?: SessionError): Promise<void> => {
    await Promise.all([pair.client.close(reason), pair.server.close(reason)]);
  };
  try {
    const left = Promise.race([pair.client.left, pair.server.left]);
    const turn = await dealer.admission.enter({ identity, left, drop: (reason) => void stop(reason) });
    const dealt = await dealFor(dealer, pair, session, turn, stop);
    const counts = counted(dealt.queries, "query", "queries");
    const { peer, address } = client;
    const about = { session: shortSessionId(session), peer, address, queries: dealt.queries };
    const line = `session ${about.session}: dealt for ${counts} of ${dealt.program}`;
    tell(dealer.options, line, { event: "dealt", ...about, seconds: secondsSince(startedMs) });
    await stop();
  } catch (error) {
    await stop(reasonOf(error));
    throw error;
  }
}

async function dealFor(
  { limits, programLimits, admission, pool }: Dealer,
  pair: PartyPair,
  session: string,
  turn: Turn,
  stop: (reason: SessionError) => void,
): Promise<DealtSession> {
  const guard = guardSession(limits, admission, turn, stop);
  try {
    const [client, server] = [guard.around(pair.client, true), guard.around(pair.server, true)];
    const { agreement, texts } = await receiveProgram(server, programLimits.maxProgramBytes);
    const mine = handshakeFields(agreement, "dealer", session);
    const dealt = await pool.run<DealtSession>({ texts, limits: programLimits } satisfies DealerJob, {
      channels: { client, server },
      onCompute: guard.onCompute,
      // Each party compares its program's hash with that of the received text: unless all agree, nothing is dealt.
      ask: async () => {
        await Promise.all([handshake(server, mine), handshake(client, mine)]);
      },
    });
    assertTrafficPredicted(dealt.expected, [], [meterTraffic("dealer", [pair.client, pair.server])]);
    return dealt;
  } finally {
    guard.end();
  }
}
