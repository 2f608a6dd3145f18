import { type Role, sessionError } from "../../runtime/core/index.ts";
import {
  type ClientSession,
  createPredictor,
  openClient,
  openServer,
  prefillStart,
  type QueryPosition,
  type QueryResult,
  runDealer,
  type ServerSession,
  sessionPrograms,
} from "../../runtime/session/index.ts";
import type { Channel } from "../../runtime/transport/index.ts";
import { loadPartyBuild, type PartyBuild, sessionOptions } from "../build/index.ts";
import type { ShareHolder } from "../inputs/index.ts";
import type { TypedTensor } from "../tensors/index.ts";
import { type ClientOptions, openClientExecutor, type PreparedQuery } from "./client-executor.ts";
import type { Residues } from "./handed-shares.ts";
import { inputsOfParty } from "./input-files.ts";
import {
  expectedTraffic,
  type MeteredTraffic,
  meterTraffic,
  setupRounds,
  type TrafficTotal,
  totalTraffic,
  trafficSince,
  watchChannel,
  watchMemory,
} from "./meter.ts";
import type { ClampedValues, QuantizedInputs } from "./quantize-inputs.ts";
import { openServerExecutor, revealedToServer } from "./server-executor.ts";

/** One party of a local run. The session calls each method on all three; they wait for each other as real parties do. */
export interface LocalParty {
  readonly open: () => Promise<void>;
  /** Runs what the party computes alone, so that it refuses a bad input before it sends anything. */
  readonly prepare: (question: PartyQuestion) => Promise<void>;
  readonly query: () => Promise<PartyQueryResult>;
  readonly end: () => Promise<PartyReport>;
  /** Closes the links: a party that waits for this one learns that it left. */
  readonly abandon: () => Promise<void>;
}

/** The model's inputs and, in a session with a cache, the position of the query. */
export interface PartyQuestion {
  readonly inputs: ReadonlyMap<string, TypedTensor>;
  readonly position?: QueryPosition;
  /** Halves of inputs that arrive as shares; a party takes its own. */
  readonly residues?: Readonly<Record<ShareHolder, Residues>>;
}

export interface PartyQueryResult {
  readonly outputs: ReadonlyMap<string, TypedTensor>;
  /** Revealed integers, by value of the program. */
  readonly raw: ReadonlyMap<string, { readonly shape: readonly number[]; readonly data: Float64Array }>;
  /** Its halves of outputs that stay shared, by value of the program. */
  readonly residues: Residues;
  /** `clear`: time in which the client computed alone. */
  readonly seconds: { readonly clear: number; readonly offline: number; readonly online: number };
  /** Bytes that this party counted on its links, in both directions. */
  readonly bytes: MeteredTraffic["bytes"];
  readonly rounds?: number;
  /** Client: whether the guard of the build found every value within its range. */
  readonly trusted?: boolean;
  /** Client: values that it moved onto their public bounds. */
  readonly clamped?: ClampedValues;
  /** Client: the prediction for this query, made before it ran. */
  readonly predicted?: TrafficTotal;
}

export interface PartyReport extends MeteredTraffic {
  readonly role: Role;
  readonly peakMegabytes: number;
  /** Of client and server; the dealer does not count rounds. */
  readonly rounds?: number;
  readonly predicted?: TrafficTotal;
}

export interface PartyChannels {
  readonly client?: Channel;
  readonly server?: Channel;
  readonly dealer?: Channel;
}

type OpenRole = (part: PartyBuild, to: (peer: Role) => Channel, options: PartyRunOptions) => Promise<RoleBehavior>;
const roleBehaviors: Readonly<Record<Role, OpenRole>> = {
  client: clientBehavior,
  server: serverBehavior,
  dealer: dealerBehavior,
};

export interface PartyRunOptions extends ClientOptions {
  /** Later queries decode position by position from cached values, if the build has a program for that. */
  readonly useCache?: boolean;
  /** The adapter that the server uses, by name; only the server reads it. */
  readonly adapter?: string;
}

type PartyAnswerBase = Omit<PartyQueryResult, "bytes" | "predicted">;
const emptyAnswer: PartyAnswerBase = {
  outputs: new Map(),
  raw: new Map(),
  residues: new Map(),
  seconds: { clear: 0, offline: 0, online: 0 },
};

export async function createLocalParty(
  dir: string,
  role: Role,
  links: PartyChannels,
  options: PartyRunOptions = {},
): Promise<LocalParty> {
  const loaded = await loadPartyBuild(dir, role, options.adapter);
  const { decode: _, ...prefillOnly } = loaded;
  const part: PartyBuild = options.useCache ? loaded : { ...prefillOnly, buckets: [] };
  const watch = watchMemory();
  const all = Object.values(links).map((channel: Channel) => watchChannel(channel, watch));
  const to = (peer: Role): Channel => all.find((channel) => channel.peer === peer)!;
  const { rounds, ...party } = await roleBehaviors[role](part, to, options);
  const programs = sessionPrograms(sessionOptions(part));
  const predicted = createPredictor(programs);
  const positions: QueryPosition[] = [];
  let position: QueryPosition = prefillStart;
  return {
    ...party,
    prepare: async (question) => {
      position = question.position ?? prefillStart;
      await party.prepare(question);
    },
    query: async () => {
      positions.push(position);
      const before = meterTraffic(role, all);
      const answer = await party.query();
      const total = role === "client" ? { predicted: totalTraffic([predicted(position)]) } : {};
      return { ...answer, bytes: trafficSince(meterTraffic(role, all), before), ...total };
    },
    end: async () => {
      await party.end();
      const measured = meterTraffic(role, all);
      await Promise.all(all.map((channel) => channel.close()));
      const counted = rounds && { rounds: rounds(), predicted: expectedTraffic(programs, positions) };
      return { ...measured, role, ...counted, peakMegabytes: watch.stop() };
    },
    abandon: async () => {
      watch.stop();
      // Close with a reason: without one, a close waits for pending frames to peers that may no longer read.
      await Promise.all(all.map((channel) => channel.close(sessionError("closed", { peer: channel.peer }))));
    },
  };
}

interface RoleBehavior {
  readonly open: () => Promise<void>;
  readonly prepare: (question: PartyQuestion) => Promise<void>;
  readonly query: () => Promise<PartyAnswerBase>;
  readonly end: () => Promise<void>;
  readonly rounds?: () => number;
}

async function dealerBehavior(
  { program, decode, buckets }: PartyBuild,
  to: (peer: Role) => Channel,
): Promise<RoleBehavior> {
  let dealing: Promise<unknown> = Promise.resolve();
  return {
    open: async () => {
      dealing = runDealer(program, { client: to("client"), server: to("server") }, decode, buckets);
      // `end` awaits a failure; if another party fails first, nobody does.
      dealing.catch(() => {});
    },
    prepare: async () => {},
    query: async () => emptyAnswer,
    end: async () => void (await dealing),
  };
}

async function clientBehavior(
  part: PartyBuild,
  to: (peer: Role) => Channel,
  options: ClientOptions,
): Promise<RoleBehavior> {
  const executor = await openClientExecutor(part, options);
  const opening = { ...sessionOptions(part), peer: to("server"), dealer: to("dealer") };
  let session: ClientSession | undefined;
  let prepared: PreparedQuery | undefined;
  let before = 0;
  let rounds = setupRounds;
  return {
    open: async () => {
      session = await openClient(opening);
    },
    prepare: async ({ inputs, position, residues }) => {
      before = executor.seconds();
      prepared = await executor.prepare(inputsOfParty(part.manifest, inputs, "client"), position, residues?.client);
    },
    query: async () => {
      const result = await session!.query(prepared!.shared, prepared!.position);
      rounds += result.rounds;
      const outputs = await executor.finish(prepared!, result.outputs);
      const trusted = executor.isTrusted(result.outputs);
      return { outputs, trusted, clamped: prepared!.clamped, ...answerFrom(result, executor.seconds() - before) };
    },
    end: async () => {
      await session!.end();
      await executor.release();
    },
    rounds: () => rounds,
  };
}

async function serverBehavior(
  part: PartyBuild,
  to: (peer: Role) => Channel,
  options: PartyRunOptions,
): Promise<RoleBehavior> {
  const executor = await openServerExecutor(part, options);
  const opening = { ...sessionOptions(part), peer: to("client"), dealer: to("dealer") };
  let session: ServerSession | undefined;
  let prepared: QuantizedInputs = { shared: {}, clamped: {} };
  let rounds = setupRounds;
  return {
    open: async () => {
      session = await openServer(opening);
    },
    prepare: async ({ inputs, residues }) => {
      prepared = await executor.prepare(inputsOfParty(part.manifest, inputs, "server"), residues?.server);
    },
    query: async () => {
      const result = await session!.serve(async () => prepared.shared);
      if (!result) throw new Error("expected a query, but the client ended the session");
      rounds += result.rounds;
      const outputs = revealedToServer(part, result.outputs);
      return { outputs, clamped: prepared.clamped, ...answerFrom(result) };
    },
    // Receives the client's end of the session, and forwards it to the dealer.
    end: async () => {
      await session!.serve();
      await executor.release();
    },
    rounds: () => rounds,
  };
}

const answerFrom = (result: QueryResult, clear = 0) => ({
  raw: rawOf(result),
  residues: result.residues,
  seconds: { clear, ...result.seconds },
  rounds: result.rounds,
});

const rawOf = ({ outputs }: QueryResult): PartyQueryResult["raw"] =>
  new Map([...outputs].map(([id, { shape, data }]) => [id, { shape, data: data! }]));
