import type { Party, Share } from "../core/index.ts";
import { freshSeed, sessionError } from "../core/index.ts";
import { type CorrelationStore, createCorrelationStore, onlineParty, preparingParty } from "../correlations/index.ts";
import type { Program } from "../program/index.ts";
import { toolbox } from "../program/index.ts";
import type { IntTensor } from "../ring/index.ts";
import { toIntegers } from "../ring/index.ts";
import type { Channel } from "../transport/index.ts";
import { createPredictor, metaInputs, seedBytes } from "./predict.ts";
import {
  decodeRequest,
  encodeRequest,
  maxRequestBytes,
  prefillStart,
  programAt,
  type QueryPosition,
} from "./requests.ts";
import { runOffline, runOnline } from "./run-steps.ts";
import { cacheInputs, emptyCache, type SessionCache, updateCache, weightsAt } from "./session-cache.ts";
import { openedBytes, sessionWeights, setUpWeights } from "./session-weights.ts";

export interface PartyOptions {
  readonly program: Program;
  /** The program that continues from the cache of the first one, position by position. */
  readonly decodeProgram?: Program;
  /** Programs of shorter sequence lengths with the same cache, for shorter prompts. Only with `decodeProgram`. */
  readonly shorterPrefills?: readonly Program[];
  /** Integers of the weights that this party knows. */
  readonly tensors: ReadonlyMap<string, IntTensor>;
  readonly peer: Channel;
  readonly dealer: Channel;
}

/** All programs of a session; a query names one by its index here. */
export const sessionPrograms = ({
  program,
  decodeProgram: next,
  shorterPrefills: windows = [],
}: Pick<PartyOptions, "program" | "decodeProgram" | "shorterPrefills">): readonly Program[] =>
  next ? [program, next, ...windows] : [program];

export interface QueryResult {
  readonly at: QueryPosition;
  /** Integers of the outputs that this party may read, at their declared scales. */
  readonly outputs: ReadonlyMap<string, IntTensor>;
  readonly rounds: number;
  readonly seconds: { readonly offline: number; readonly online: number };
}

/**
 * The client's side of a session, after the handshakes. A failure is final: the session is over, its randomness used
 * up.
 */
export interface ClientSession {
  /** Asks for the next query's correlations and draws them, before its input is known. */
  readonly prepare: (at?: QueryPosition) => Promise<void>;
  /** Runs the prepared query, or prepares and runs one. Inputs are integers at the declared scales. */
  readonly query: (inputs: Readonly<Record<string, IntTensor>>, at?: QueryPosition) => Promise<QueryResult>;
  readonly end: () => Promise<void>;
}

export interface ServerSession {
  /** Answers the client's next query; undefined once the client has ended the session. */
  readonly serve: () => Promise<QueryResult | undefined>;
}

export async function openClient(options: PartyOptions): Promise<ClientSession> {
  const { peer } = options;
  const party = await openParty(options, "client");
  let prepared: PreparedQuery | undefined;
  const prepare = (at: QueryPosition): Promise<PreparedQuery> => {
    party.programFor(at);
    return party.orEndSession(async () => {
      await peer.send(encodeRequest({ kind: "query", query: party.nextQuery, at }), "control");
      return await party.prepare(at);
    });
  };
  return {
    prepare: async (at = prefillStart) => {
      prepared ??= await prepare(at);
    },
    query: async (inputs, at = prefillStart) => {
      const ready = prepared ?? (await prepare(at));
      prepared = undefined;
      const { program, position } = ready.at;
      if (program !== at.program || position !== at.position)
        throw new Error(
          `position ${program}:${position} was prepared, but the query is for ${at.program}:${at.position}; query the prepared one`,
        );
      return await party.orEndSession(() => party.run(ready, inputs));
    },
    end: () => peer.send(encodeRequest({ kind: "end" }), "control"),
  };
}

export async function openServer(options: PartyOptions): Promise<ServerSession> {
  const { peer, dealer } = options;
  const party = await openParty(options, "server");
  const serve = async (): Promise<QueryResult | undefined> => {
    const request = decodeRequest(await peer.receive({ kind: "control", maxBytes: maxRequestBytes }), "client");
    if (request.kind === "query" && request.query !== party.nextQuery) {
      throw sessionError("reusedCorrelation", { query: request.query, consumed: party.nextQuery - 1 });
    }
    const at = request.kind === "query" ? party.programFor(request.at) : undefined;
    await dealer.send(encodeRequest(request), "control");
    if (request.kind === "end" || !at) return undefined;
    return await party.run(await party.prepare(request.at), metaInputs(at));
  };
  return { serve: () => party.orEndSession(serve) };
}

interface PreparedQuery {
  readonly at: QueryPosition;
  readonly store: CorrelationStore;
  readonly seconds: number;
}

interface OpenParty {
  /** Index of the next query. */
  readonly nextQuery: number;
  /** The program of a position. @throws SessionError if the session is at another position, or has failed. */
  readonly programFor: (at: QueryPosition) => Program;
  readonly prepare: (at: QueryPosition) => Promise<PreparedQuery>;
  readonly run: (prepared: PreparedQuery, inputs: Readonly<Record<string, IntTensor>>) => Promise<QueryResult>;
  /** Runs the work; if it fails, the session is over and its cache is dropped. */
  readonly orEndSession: <T>(work: () => Promise<T>) => Promise<T>;
}

/** Exchanges seeds and hidden weights, once per session. */
async function openParty(options: PartyOptions, role: "client" | "server"): Promise<OpenParty> {
  const { peer, dealer } = options;
  const programs = sessionPrograms(options);
  const all = sessionWeights(programs);
  const predicted = createPredictor(programs);
  const ownSeed = freshSeed();
  const seed = await dealer.receive({ exactBytes: seedBytes });
  const sharedSeed = role === "client" ? freshSeed() : await peer.receive({ exactBytes: seedBytes });
  if (role === "client") await peer.send(sharedSeed.slice());
  const due = openedBytes(all.weights);
  const received = role === "client" && due > 0 ? await peer.receive({ exactBytes: due }) : new Uint8Array(0);
  const seeds = role === "server" ? { sharedSeed, serverSeed: seed } : { sharedSeed, received };
  const { handles, toDealer, toClient } = setUpWeights(role, all.weights, { tensors: options.tensors, ...seeds });
  if (role === "server") {
    if (toClient.length > 0) await peer.send(toClient);
    await dealer.send(toDealer);
  }
  const peers = { [role === "client" ? "server" : "client"]: peer, dealer };
  let next = 0;
  /**
   * The cache as far as it is prepared (shares of masks) and as far as it is opened. Undefined once a query has failed.
   */
  let memory: { readonly prepared: SessionCache; readonly online: SessionCache } | undefined = {
    prepared: emptyCache,
    online: emptyCache,
  };
  const alive = (): { readonly prepared: SessionCache; readonly online: SessionCache } => {
    if (!memory) throw sessionError("sessionOver", {});
    return memory;
  };
  const orEndSession = async <T>(work: () => Promise<T>): Promise<T> => {
    alive();
    try {
      return await work();
    } catch (error) {
      memory = undefined;
      throw error;
    }
  };
  const programFor = (at: QueryPosition): Program =>
    programAt(programs, at, alive().prepared.rows, role === "server" ? "client" : "server");
  const bodyOf = (
    at: QueryPosition,
    party: Party,
    inputs: Readonly<Record<string, IntTensor>>,
    cache: SessionCache,
  ) => {
    const current = programs[at.program]!;
    const weights = weightsAt(current, all.of(at.program, handles), at.position);
    return current.body(toolbox, party, inputs, weights, cacheInputs(current, cache));
  };
  const prepare = async (at: QueryPosition): Promise<PreparedQuery> => {
    const current = programFor(at);
    const { prepared } = alive();
    const started = performance.now();
    const segments = predicted(at).segments[role];
    const store = createCorrelationStore();
    let frame: Uint8Array = new Uint8Array(0);
    const take = (bytes: number): Uint8Array => {
      const taken = frame.subarray(0, bytes);
      frame = frame.subarray(bytes);
      return taken;
    };
    const party = preparingParty({
      role,
      seed,
      sharedSeed,
      privateSeed: ownSeed,
      query: next++,
      store,
      dealerMessages: { take },
    });
    const results = await runOffline(bodyOf(at, party, metaInputs(current), prepared), {
      before: async (segment) => {
        const due = segments[segment]!;
        if (due > 0) frame = await dealer.receive({ exactBytes: due });
      },
    });
    memory = { ...alive(), prepared: updateCache(current, prepared, results, at.position) };
    return { at, store, seconds: (performance.now() - started) / 1000 };
  };
  const run = async (
    { at, store, seconds }: PreparedQuery,
    inputs: Readonly<Record<string, IntTensor>>,
  ): Promise<QueryResult> => {
    const { online } = alive();
    const current = programs[at.program]!;
    const started = performance.now();
    let rounds = 0;
    const results = await runOnline(bodyOf(at, onlineParty(role, store), inputs, online), role, peers, () => {
      rounds += 1;
    });
    if (store.remaining > 0) throw new Error(`internal error: ${store.remaining} correlations were not used`);
    memory = { ...alive(), online: updateCache(current, online, results, at.position) };
    const mine = Object.entries(results).filter(([name]) => current.outputs[name]?.to === role);
    const outputs = new Map(mine.map(([name, handle]) => [name, toIntegers((handle as Share).tensor)]));
    return { at, outputs, rounds, seconds: { offline: seconds, online: (performance.now() - started) / 1000 } };
  };
  return {
    get nextQuery() {
      return next;
    },
    programFor,
    prepare,
    run,
    orEndSession,
  };
}
