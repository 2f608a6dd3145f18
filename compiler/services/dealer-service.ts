import { counted } from "../../ir/counted.ts";
import { type SessionError, sessionError } from "../../runtime/core/index.ts";
import { handshake } from "../../runtime/session/index.ts";
import type { Channel } from "../../runtime/transport/index.ts";
import { assertTrafficPredicted, meterTraffic } from "../run/index.ts";
import { type Admission, createAdmission, type Turn } from "./admission.ts";
import { keepAsking, takeWhileAsking } from "./ask-to-wait.ts";
import { type DealerJob, type DealtSession, dealerWork, type LongSession } from "./dealer-work.ts";
import { aroundQueries, createMemoryBudget, type MemoryBudget } from "./memory-budget.ts";
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
  /** Milliseconds after which parties of a long query are asked, again and again, to wait for it. */
  readonly askToWaitMs?: number;
}

interface Dealer {
  readonly options: DealerOptions;
  readonly limits: ServiceLimits;
  readonly programLimits: ProgramLimits;
  readonly admission: Admission;
  /** Threads in which no step takes long, and threads for the others. */
  readonly pools: { readonly short: SessionPool; readonly long: SessionPool };
  readonly memory: MemoryBudget;
}

/** Starts the dealer. It pairs the two parties of each session and deals for them; it keeps nothing of a session. */
export async function startDealer(options: DealerOptions): Promise<Service> {
  const { pairingMs = pairingTimeoutMs } = options;
  const limits = limitsOf(options.limits);
  const programLimits = programLimitsOf(options);
  const { workers } = limits;
  const inline = inlinePool(dealerWork());
  const poolOf = (isLong: boolean): SessionPool =>
    workers > 0 ? createSessionPool({ kind: "dealer", isLong }, workers) : inline;
  const dealer: Dealer = {
    options,
    limits,
    programLimits,
    admission: createAdmission(limits, "dealer"),
    pools: { short: poolOf(false), long: poolOf(true) },
    memory: createMemoryBudget(programLimits.maxMemory, Math.ceil((limits.maxSessions + limits.maxWaiting) / 2)),
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
    await Promise.all([dealer.pools.short.close(), dealer.pools.long.close()]);
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
  { options, limits, programLimits, admission, pools, memory }: Dealer,
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
    const run = <T>(isLong: boolean, atServer: Channel, onAgreed = () => {}): Promise<T> =>
      pools[isLong ? "long" : "short"].run<T>({ texts, limits: programLimits, isLong } satisfies DealerJob, {
        channels: { client, server: atServer },
        onCompute: guard.onCompute,
        // Each party compares its program's hash with that of the received text: unless all agree, nothing is dealt.
        ask: async () => {
          await Promise.all([handshake(server, mine), handshake(client, mine)]);
          onAgreed();
        },
      });
    const dealLong = async ({ memory: bytes }: LongSession): Promise<DealtSession> => {
      // Before the handshakes: whoever finds no place here has shared nothing, and asks again.
      const leave = memory.enter();
      const left = Promise.race([pair.client.left, pair.server.left]);
      const queries = aroundQueries(server, () =>
        takeWhileAsking(Object.values(pair), guard.whileWaiting(memory.take(bytes, left)), options.askToWaitMs),
      );
      // The setup may wait for a long step of another session.
      const onAgreed = (): void => queries.hold({ release: keepAsking(Object.values(pair), options.askToWaitMs) });
      return await run<DealtSession>(true, queries.channel, onAgreed).finally(() => {
        queries.end();
        leave();
      });
    };
    const first = await run<DealtSession | LongSession>(false, server);
    const dealt = "memory" in first ? await dealLong(first) : first;
    assertTrafficPredicted(dealt.expected, [], [meterTraffic("dealer", [pair.client, pair.server])]);
    return dealt;
  } finally {
    guard.end();
  }
}
