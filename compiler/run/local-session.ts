import type { MessagePort } from "node:worker_threads";
import { type BytesByDirection, noBytes, type Role } from "../../runtime/core/index.ts";
import type { QueryPosition } from "../../runtime/session/index.ts";
import { type Channel, type LinkProfile, memoryPair, shapedPair } from "../../runtime/transport/index.ts";
import { workerLink } from "../../runtime/transport/node/index.ts";
import { loadPartyBuild, roles } from "../build/index.ts";
import type { ShareHolder } from "../inputs/index.ts";
import type { TypedTensor } from "../tensors/index.ts";
import { type Halves, type Residues, residuesOf, splitShared } from "./handed-shares.ts";
import {
  createLocalParty,
  type LocalParty,
  type PartyQueryResult,
  type PartyReport,
  type PartyRunOptions,
} from "./local-party.ts";
import { assertTrafficPredicted, type TrafficTotal } from "./meter.ts";
import { startPartyThread } from "./party-thread.ts";
import type { ClampedValues } from "./quantize-inputs.ts";

export interface LocalOptions extends PartyRunOptions {
  /** The build directory. */
  readonly dir: string;
  /** Simulates this link between all parties. */
  readonly link?: LinkProfile;
  /** Runs all parties in this thread, for tests and debuggers; otherwise each has a thread of its own. */
  readonly inProcess?: boolean;
}

/** All parties on this machine: good for tests, but no protection as a deployment, because one machine sees everything. */
export interface LocalSession {
  /** `halves`: of inputs that arrive as shares; default: fresh ones of their values in `inputs`. */
  readonly query: (
    inputs: ReadonlyMap<string, TypedTensor>,
    position?: QueryPosition,
    halves?: ReadonlyMap<string, Halves>,
  ) => Promise<LocalQuery>;
  /** Ends the session, and compares its traffic with the prediction. */
  readonly end: () => Promise<LocalReport>;
  /** Closes everything after a failure. */
  readonly abandon: () => Promise<void>;
}

export interface LocalQuery {
  readonly outputs: ReadonlyMap<string, TypedTensor>;
  /** Outputs revealed to the server. */
  readonly serverOutputs: ReadonlyMap<string, TypedTensor>;
  readonly raw: PartyQueryResult["raw"];
  /** The halves of outputs that stay shared, by value of the program. */
  readonly residues: Readonly<Record<ShareHolder, Residues>>;
  readonly seconds: PartyQueryResult["seconds"];
  /** Whether the guard of the build, if it has one, found every value within its range. */
  readonly trusted: boolean;
  /** Values that the client moved onto their public bounds, by tensor. */
  readonly clamped: ClampedValues;
  /** Metered traffic, which equals the prediction for this query. */
  readonly measured: TrafficTotal;
}

export interface LocalReport {
  readonly predicted: TrafficTotal;
  readonly measured: TrafficTotal;
  readonly framingBytes: number;
  readonly seconds: { readonly setup: number; readonly offline: number; readonly online: number };
  readonly peakMegabytes: Readonly<Record<Role, number>>;
  readonly queries: number;
}

type LocalParties = Readonly<Record<Role, LocalParty & { readonly terminate?: () => Promise<void> }>>;
const pairs = [
  ["client", "server"],
  ["client", "dealer"],
  ["server", "dealer"],
] as const satisfies readonly (readonly [Role, Role])[];

/** Connects the parties: each link has one end at each of its two parties. */
function connectParties<T>(
  pair: (a: Role, b: Role) => readonly [T, T],
): Readonly<Record<Role, Partial<Record<Role, T>>>> {
  const ends: Record<Role, Partial<Record<Role, T>>> = { client: {}, server: {}, dealer: {} };
  for (const [a, b] of pairs) [ends[a][b], ends[b][a]] = pair(a, b);
  return ends;
}

async function partiesInProcess({ dir, link, ...options }: LocalOptions): Promise<LocalParties> {
  const ends = connectParties<Channel>((a, b) => (link ? shapedPair(memoryPair(a, b), link) : memoryPair(a, b)));
  const parties = await Promise.all(roles.map((role) => createLocalParty(dir, role, ends[role], options)));
  return Object.fromEntries(roles.map((role, k) => [role, parties[k]!])) as unknown as LocalParties;
}

function partiesInThreads({ dir, link, useCache = false, clamp = false, adapter }: LocalOptions): LocalParties {
  const ends = connectParties<MessagePort>(() => workerLink());
  const start = (role: Role) =>
    startPartyThread({
      dir,
      role,
      links: ends[role],
      useCache,
      clamp,
      ...(adapter !== undefined && { adapter }),
      ...(link && { link }),
    });
  return { client: start("client"), server: start("server"), dealer: start("dealer") };
}

/** Starts all parties of a build on this machine, and opens a session. */
export async function openLocal(options: LocalOptions): Promise<LocalSession> {
  const parties = options.inProcess ? await partiesInProcess(options) : partiesInThreads(options);
  const abandon = async (): Promise<void> => {
    await Promise.all(roles.map((role) => (parties[role].terminate ?? parties[role].abandon)()));
  };
  /** The first failure is the cause; the others only report that a party left. */
  const all = async <T>(call: (party: LocalParty) => Promise<T>): Promise<Readonly<Record<Role, T>>> => {
    try {
      const [client, server, dealer] = await Promise.all(roles.map((role) => call(parties[role])));
      return { client: client!, server: server!, dealer: dealer! };
    } catch (error) {
      await abandon();
      throw error;
    }
  };
  const build = await loadPartyBuild(options.dir, "client");
  const started = performance.now();
  await all((party) => party.open());
  const setup = (performance.now() - started) / 1000;
  const seconds = { setup, offline: 0, online: 0 };
  let queries = 0;
  return {
    abandon,
    query: async (inputs, position, halves) => {
      const split = splitShared(build, inputs, halves, options.clamp ?? false);
      const residues = { client: residuesOf(split.halves, "client"), server: residuesOf(split.halves, "server") };
      await all((party) => party.prepare({ inputs, residues, ...(position && { position }) }));
      const { client, server } = await all((party) => party.query());
      const bytes = { ...noBytes, ...client.bytes, ...server.bytes };
      assertTrafficPredicted(client.predicted!, [client.rounds!, server.rounds!], [{ bytes, framingBytes: 0 }]);
      queries += 1;
      // The party that is ready first waits for the other in its online time. So the offline phase is as long as the
      // slower party's, and the online phase ends with the client, who receives the output.
      const offline = Math.max(client.seconds.offline, server.seconds.offline);
      const online = Math.max(0, client.seconds.offline + client.seconds.online - offline);
      seconds.offline += offline;
      seconds.online += online;
      const raw = new Map([...client.raw, ...server.raw]);
      const times = { clear: client.seconds.clear, offline, online };
      const measured = { rounds: client.rounds!, bytes };
      const { outputs, trusted = true } = client;
      const clamped = { ...client.clamped, ...server.clamped, ...split.clamped };
      const kept = { client: client.residues, server: server.residues };
      return {
        outputs,
        serverOutputs: server.outputs,
        residues: kept,
        raw,
        seconds: times,
        trusted,
        clamped,
        measured,
      };
    },
    end: async () => {
      const reports = await all((party) => party.end());
      await Promise.all(roles.map((role) => parties[role].terminate?.()));
      return summarise(Object.values(reports), seconds, queries);
    },
  };
}

function summarise(reports: readonly PartyReport[], seconds: LocalReport["seconds"], queries: number): LocalReport {
  const { predicted, rounds } = reports.find(({ role }) => role === "client")!;
  const counted = reports.flatMap((report) => (report.rounds === undefined ? [] : [report.rounds]));
  assertTrafficPredicted(predicted!, counted, reports);
  const bytes = Object.assign({}, ...reports.map((report) => report.bytes)) as BytesByDirection;
  const byRole = Object.fromEntries(reports.map(({ role, peakMegabytes }) => [role, peakMegabytes]));
  return {
    predicted: predicted!,
    measured: { rounds: rounds!, bytes },
    framingBytes: reports.reduce((sum, report) => sum + report.framingBytes, 0),
    seconds,
    peakMegabytes: byRole as Readonly<Record<Role, number>>,
    queries,
  };
}
