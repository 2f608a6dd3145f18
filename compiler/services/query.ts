import { SessionError } from "../../runtime/core/index.ts";
import {
  type Asked,
  handshake,
  openClient,
  predictions,
  programsOf,
  windowAsked,
} from "../../runtime/session/index.ts";
import type { Identity } from "../../runtime/transport/identity.ts";
import type { Channel } from "../../runtime/transport/index.ts";
import { connect } from "../../runtime/transport/tls.ts";
import { named, openingOf, type Part } from "../build/index.ts";
import {
  assertPredicted,
  expectedOf,
  meter,
  openClientPart,
  outputsJson,
  type RunResult,
  roundTimes,
  setupRounds,
  since,
  statementOf,
  type Total,
  totalOf,
  watched,
  watchMemory,
} from "../run/index.ts";
import type { TypedTensor } from "../tensors/index.ts";
import { agreementOf, fieldsOf, newSessionId, purposes } from "./meeting.ts";
import type { Endpoint } from "./service.ts";

export interface ClientOptions {
  readonly part: Part;
  readonly identity: Identity;
  readonly server: Endpoint;
  readonly dealer: Endpoint;
}

type Tensors = ReadonlyMap<string, TypedTensor>;

/** What one query gave, and what of it this party saw: links between the others are not among its own. */
export interface RemoteQuery {
  readonly outputs: Tensors;
  readonly measured: { readonly rounds: number; readonly bytes: Partial<Total["bytes"]> };
  /** `clear`: what the client computed alone. */
  readonly seconds: { readonly clear: number; readonly offline: number; readonly online: number };
}

export interface RemoteReport {
  readonly predicted: Total;
  readonly measured: NonNullable<RunResult["measured"]>;
  readonly queries: number;
}

/** A session with a server, as its client. It connects with the first query, so that a bad input reaches nobody. */
export interface RemoteSession {
  readonly query: (inputs: Tensors, asked?: Asked) => Promise<RemoteQuery>;
  /** Ends the session and holds what was sent against what was predicted. */
  readonly end: () => Promise<RemoteReport>;
  /** After a failure: drops everything, and tells the others the cause where it is one of a session. */
  readonly abandon: (cause?: unknown) => Promise<void>;
}

export async function openRemote({ part, identity, server, dealer }: ClientOptions): Promise<RemoteSession> {
  const opening = openingOf(part);
  const programs = programsOf(opening);
  const predicted = predictions(programs);
  const watch = watchMemory();
  const around = await openClientPart(part);
  const channels: Channel[] = [];
  const session = newSessionId();
  const reach = async (expect: "server" | "dealer", endpoint: Endpoint, purpose: string): Promise<Channel> => {
    const channel = watched(await connect({ ...endpoint, identity, expect, purpose, session }), watch);
    channels.push(channel);
    return channel;
  };
  const open = async () => {
    const atServer = await reach("server", server, purposes.online);
    const atDealer = await reach("dealer", dealer, purposes.correlations);
    const mine = fieldsOf(agreementOf(part), "client", session);
    await handshake(atServer, mine);
    await handshake(atDealer, mine);
    return openClient({ ...opening, peer: atServer, dealer: atDealer });
  };
  let party: Awaited<ReturnType<typeof open>> | undefined;
  const questions: Asked[] = [];
  const seconds = { offline: 0, online: 0 };
  let rounds = setupRounds;
  return {
    query: async (inputs, asked = windowAsked) => {
      const earlier = around.seconds();
      // A bad input is found before anybody is asked.
      const prepared = await around.before(inputs, asked);
      party ??= await open();
      const before = meter("client", channels);
      const result = await party.query(prepared.shared, asked);
      questions.push(asked);
      const bytes = since(meter("client", channels), before);
      assertPredicted(totalOf([predicted(asked)]), [result.rounds], [{ bytes, framingBytes: 0 }]);
      rounds += result.rounds;
      seconds.offline += result.seconds.offline;
      seconds.online += result.seconds.online;
      const measured = { rounds: result.rounds, bytes };
      const outputs = await around.after(prepared, result.outputs);
      return { outputs, measured, seconds: { clear: around.seconds() - earlier, ...result.seconds } };
    },
    end: async () => {
      await party?.end();
      const total = expectedOf(programs, questions);
      const { bytes, framingBytes } = meter("client", channels);
      assertPredicted(total, [rounds], [{ bytes, framingBytes }]);
      await Promise.all(channels.map((channel) => channel.close()));
      await around.release();
      const peakMegabytes = { client: watch.stop() };
      const measured = { rounds, bytes, framingBytes, seconds: roundTimes(seconds), peakMegabytes };
      return { predicted: total, measured, queries: questions.length };
    },
    abandon: async (cause) => {
      watch.stop();
      const reason = cause instanceof SessionError ? cause : undefined;
      await Promise.all(channels.map((channel) => channel.close(reason)));
      await around.release();
    },
  };
}

export interface QueryOptions extends ClientOptions {
  readonly inputs: Tensors;
}

export interface Answer {
  readonly outputs: Tensors;
  readonly result: RunResult;
}

/** One query to a server, as its client: the measured links are those that this party sees. */
export async function askServer({ inputs, ...options }: QueryOptions): Promise<Answer> {
  const { manifest } = options.part;
  const session = await openRemote(options);
  try {
    const { outputs } = await session.query(inputs);
    const { predicted, measured } = await session.end();
    const result: RunResult = named(manifest.setting, {
      schema: 1,
      outputs: outputsJson(outputs),
      ...statementOf(manifest),
      queries: 1,
      predicted,
      measured,
    });
    return { outputs, result };
  } catch (error) {
    await session.abandon(error);
    throw error;
  }
}
