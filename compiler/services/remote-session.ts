import { type Role, SessionError } from "../../runtime/core/index.ts";
import {
  createPredictor,
  openClient,
  prefillStart,
  type QueryPosition,
  sessionPrograms,
} from "../../runtime/session/index.ts";
import type { Channel } from "../../runtime/transport/index.ts";
import { partyLabels, sessionOptions } from "../build/index.ts";
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
  type Residues,
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
import { type OtherParties, reachParties } from "./reach-parties.ts";

export interface RemoteOptions extends ClientOptions, OtherParties {}

type NamedTensors = ReadonlyMap<string, TypedTensor>;

/** The client's halves of inputs that arrive as shares, and the ids by which the server finds its own. */
export interface ClientShares {
  readonly residues: Residues;
  readonly ids: readonly string[];
}

/** The outputs of one query, and the traffic on the links of this party. */
export interface RemoteQueryResult {
  readonly outputs: NamedTensors;
  /** The client's halves of outputs that stay shared, and the query that made them. */
  readonly residues?: Residues;
  readonly made?: { readonly session: string; readonly query: number };
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
  readonly query: (
    inputs: NamedTensors,
    position?: QueryPosition,
    record?: string,
    shares?: ClientShares,
  ) => Promise<RemoteQueryResult>;
  /** Ends the session, and checks the measured traffic against the prediction. @throws InternalError MRL0799 */
  readonly end: () => Promise<RemoteReport>;
  /** Closes everything after a failure, and sends the cause to the peers if it is a SessionError. */
  readonly abandon: (cause?: unknown) => Promise<void>;
}

export async function openRemoteSession({ clamp = false, ...parties }: RemoteOptions): Promise<RemoteSession> {
  const { part } = parties;
  const opening = sessionOptions(part);
  const programs = sessionPrograms(opening);
  const predicted = createPredictor(programs);
  const watch = watchMemory();
  const executor = await openClientExecutor(part, { clamp });
  const channels: Channel[] = [];
  let isAbandoned = false;
  let session = "";
  const open = async () => {
    const watched = (channel: Channel): Channel => watchChannel(channel, watch);
    const reached = await reachParties(parties, channels, watched, () => isAbandoned);
    session = reached.session;
    return openClient({ ...opening, peer: reached.server, dealer: reached.dealer });
  };
  let party: Awaited<ReturnType<typeof open>> | undefined;
  const positions: QueryPosition[] = [];
  const seconds = { offline: 0, online: 0 };
  let rounds = setupRounds;
  return {
    query: async (inputs, position = prefillStart, record, shares) => {
      const earlier = executor.seconds();
      // Checks the input before connecting.
      const prepared = await executor.prepare(inputs, position, shares?.residues);
      party ??= await open();
      const before = meterTraffic("client", channels);
      const result = await party.query(prepared.shared, position, record, shares?.ids);
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
      const made = { session, query: positions.length - 1 };
      const { residues } = result;
      return { outputs, residues, made, trusted, clamped: prepared.clamped, measured, seconds: times };
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

export interface QueryOptions extends RemoteOptions {
  readonly inputs: NamedTensors;
  /** The name of the server's own input for the query. */
  readonly record?: string;
  readonly shares?: ClientShares;
  /** Aborts the session. */
  readonly signal?: AbortSignal;
}

export interface RemoteAnswer {
  readonly outputs: NamedTensors;
  /** Its halves of outputs that stay shared, and the query that made them. */
  readonly residues: Residues;
  readonly made: { readonly session: string; readonly query: number };
  readonly result: RunResult;
}

/** Sends one query to a server, as its client. The result measures the links of this party only. */
export async function queryServer({ inputs, record, shares, signal, ...options }: QueryOptions): Promise<RemoteAnswer> {
  const { manifest } = options.part;
  const session = await openRemoteSession(options);
  const ask = async (): Promise<RemoteAnswer> => {
    const { outputs, trusted, clamped, residues, made } = await session.query(inputs, undefined, record, shares);
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
    return { outputs, residues: residues!, made: made!, result };
  };
  return await unlessAborted(signal, session.abandon, () =>
    ask().catch(async (error: unknown) => {
      await session.abandon(error);
      throw error;
    }),
  );
}
