import { isBusy, type Role, SessionError } from "../../runtime/core/index.ts";
import {
  createPredictor,
  handshake,
  openClient,
  prefillStart,
  type QueryPosition,
  sessionPrograms,
} from "../../runtime/session/index.ts";
import { type Channel, nowMs } from "../../runtime/transport/index.ts";
import { connect, type Identity } from "../../runtime/transport/node/index.ts";
import { type PartyBuild, partyLabels, sessionOptions } from "../build/index.ts";
import {
  assertTrafficPredicted,
  type ClampedValues,
  type ClientOptions,
  clampedField,
  expectedTraffic,
  type MeasuredRun,
  meterTraffic,
  openClientExecutor,
  outputsJson,
  type RunResult,
  roundTimes,
  securityFields,
  setupRounds,
  type TrafficTotal,
  totalTraffic,
  trafficSince,
  trustedField,
  unlessAborted,
  watchChannel,
  watchMemory,
} from "../run/index.ts";
import type { TypedTensor } from "../tensors/index.ts";
import type { Endpoint } from "./service.ts";
import { agreementOf, connectionPurposes, handshakeFields, newSessionId } from "./session-agreement.ts";

export interface RemoteOptions extends ClientOptions {
  readonly part: PartyBuild;
  readonly identity: Identity;
  readonly server: Endpoint;
  readonly dealer: Endpoint;
  /** Seconds to wait for parties that are busy, all attempts together. */
  readonly patienceSeconds?: number;
  /** Called with a line each time that a party is busy. */
  readonly onBusy?: (line: string) => void;
}

export const defaultPatienceSeconds = 300;
/** A party that is there answers within this time, whatever is left of the patience. */
const leastAnswerMs = 30_000;

type NamedTensors = ReadonlyMap<string, TypedTensor>;

/** The outputs of one query, and the traffic on the links of this party. */
export interface RemoteQueryResult {
  readonly outputs: NamedTensors;
  readonly measured: { readonly rounds: number; readonly bytes: Partial<TrafficTotal["bytes"]> };
  /** Whether the guard of the build, if it has one, found every value within its range. */
  readonly trusted: boolean;
  /** Values that the client moved onto their public bounds, by tensor. */
  readonly clamped: ClampedValues;
  /** `clear`: the plaintext layers of the client. */
  readonly seconds: { readonly clear: number; readonly offline: number; readonly online: number };
}

/** A whole session. Traffic and memory are by role, in either setting. */
export interface RemoteReport {
  readonly predicted: TrafficTotal;
  readonly measured: Omit<MeasuredRun, "bytes" | "peakMegabytes"> & {
    readonly bytes: Partial<TrafficTotal["bytes"]>;
    readonly peakMegabytes: Readonly<Partial<Record<Role, number>>>;
  };
  readonly queries: number;
}

/** A session with a server, as its client. It connects at the first query, after the input has been checked. */
export interface RemoteSession {
  readonly query: (inputs: NamedTensors, position?: QueryPosition, record?: string) => Promise<RemoteQueryResult>;
  /** Ends the session, and checks the measured traffic against the prediction. @throws InternalError MRL0799 */
  readonly end: () => Promise<RemoteReport>;
  /** Closes everything after a failure, and sends the cause to the peers if it is a SessionError. */
  readonly abandon: (cause?: unknown) => Promise<void>;
}

export async function openRemoteSession({
  part,
  identity,
  server,
  dealer,
  clamp = false,
  patienceSeconds = defaultPatienceSeconds,
  onBusy,
}: RemoteOptions): Promise<RemoteSession> {
  const opening = sessionOptions(part);
  const programs = sessionPrograms(opening);
  const predicted = createPredictor(programs);
  const watch = watchMemory();
  const executor = await openClientExecutor(part, { clamp });
  const channels: Channel[] = [];
  const reach = async (
    expect: "server" | "dealer",
    endpoint: Endpoint,
    purpose: string,
    session: string,
  ): Promise<Channel> => {
    const channel = watchChannel(await connect({ ...endpoint, identity, expect, purpose, session }), watch);
    channels.push(channel);
    return channel;
  };
  const attempt = async (session: string, untilMs: number) => {
    const mine = handshakeFields(agreementOf(part), "client", session);
    const rules = () => ({ timeoutMs: Math.max(leastAnswerMs, untilMs - nowMs()) });
    const atServer = await reach("server", server, connectionPurposes.online, session);
    // The server answers when it is this session's turn, so nobody waits at the dealer meanwhile.
    await handshake(atServer, mine, rules());
    const atDealer = await reach("dealer", dealer, connectionPurposes.correlations, session);
    await handshake(atDealer, mine, rules());
    return openClient({ ...opening, peer: atServer, dealer: atDealer });
  };
  let isAbandoned = false;
  const open = async () => {
    const untilMs = nowMs() + patienceSeconds * 1000;
    for (;;) {
      const session = newSessionId();
      try {
        return await attempt(session, untilMs);
      } catch (error) {
        if (!isBusy(error)) throw error;
        const waitMs = jitteredMs(error.retryAfterSeconds ?? 1, session);
        if (nowMs() + waitMs > untilMs) throw error;
        await Promise.all(channels.splice(0).map((channel) => channel.close()));
        onBusy?.(`${error.code} ${error.message}: the next attempt follows in ${(waitMs / 1000).toFixed(1)} s`);
        await new Promise((resolve) => setTimeout(resolve, waitMs));
        if (isAbandoned) throw error;
      }
    }
  };
  let party: Awaited<ReturnType<typeof open>> | undefined;
  const positions: QueryPosition[] = [];
  const seconds = { offline: 0, online: 0 };
  let rounds = setupRounds;
  return {
    query: async (inputs, position = prefillStart, record) => {
      const earlier = executor.seconds();
      // Checks the input before connecting.
      const prepared = await executor.prepare(inputs, position);
      party ??= await open();
      const before = meterTraffic("client", channels);
      const result = await party.query(prepared.shared, position, record);
      positions.push(position);
      const bytes = trafficSince(meterTraffic("client", channels), before);
      assertTrafficPredicted(totalTraffic([predicted(position)]), [result.rounds], [{ bytes, framingBytes: 0 }]);
      rounds += result.rounds;
      seconds.offline += result.seconds.offline;
      seconds.online += result.seconds.online;
      const measured = { rounds: result.rounds, bytes };
      const outputs = await executor.finish(prepared, result.outputs);
      const times = { clear: executor.seconds() - earlier, ...result.seconds };
      const trusted = executor.isTrusted(result.outputs);
      return { outputs, trusted, clamped: prepared.clamped, measured, seconds: times };
    },
    end: async () => {
      await party?.end();
      const total = expectedTraffic(programs, positions);
      const { bytes, framingBytes } = meterTraffic("client", channels);
      assertTrafficPredicted(total, [rounds], [{ bytes, framingBytes }]);
      await Promise.all(channels.map((channel) => channel.close()));
      await executor.release();
      const peakMegabytes = { client: watch.stop() };
      const measured = { rounds, bytes, framingBytes, seconds: roundTimes(seconds), peakMegabytes };
      return { predicted: total, measured, queries: positions.length };
    },
    abandon: async (cause) => {
      isAbandoned = true;
      watch.stop();
      const reason = cause instanceof SessionError ? cause : undefined;
      await Promise.all(channels.map((channel) => channel.close(reason)));
      await executor.release();
    },
  };
}

/** Clients that were refused together do not come back together: from the half of the time to one and a half. */
function jitteredMs(seconds: number, session: string): number {
  // The session id is uniform, and is not used for anything else any more.
  const share = Number.parseInt(session.slice(0, 8), 16) / 2 ** 32;
  return 1000 * seconds * (0.5 + share);
}

export interface QueryOptions extends RemoteOptions {
  readonly inputs: NamedTensors;
  /** The name of the server's own input for the query. */
  readonly record?: string;
  /** Aborts the session. */
  readonly signal?: AbortSignal;
}

export interface RemoteAnswer {
  readonly outputs: NamedTensors;
  readonly result: RunResult;
}

/** Sends one query to a server, as its client. The result measures the links of this party only. */
export async function queryServer({ inputs, record, signal, ...options }: QueryOptions): Promise<RemoteAnswer> {
  const { manifest } = options.part;
  const session = await openRemoteSession(options);
  const ask = async (): Promise<RemoteAnswer> => {
    const { outputs, trusted, clamped } = await session.query(inputs, undefined, record);
    const { predicted, measured } = await session.end();
    const labels = partyLabels(manifest.setting);
    const result: RunResult = {
      schema: 1,
      outputs: outputsJson(outputs),
      ...trustedField(manifest, trusted),
      ...clampedField(clamped),
      ...securityFields(manifest),
      queries: 1,
      predicted: { ...predicted, bytes: labels.bytes(predicted.bytes) },
      measured: {
        ...measured,
        bytes: labels.bytes(measured.bytes),
        peakMegabytes: labels.perRole(measured.peakMegabytes),
      },
    };
    return { outputs, result };
  };
  return await unlessAborted(signal, session.abandon, () =>
    ask().catch(async (error: unknown) => {
      await session.abandon(error);
      throw error;
    }),
  );
}
