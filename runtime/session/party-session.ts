import { type Party, type Share, sessionError } from "../core/index.ts";
import { type CorrelationStore, createCorrelationStore, onlineParty, preparingParty } from "../correlations/index.ts";
import { type HeldWeight, type Program, toolbox } from "../program/index.ts";
import { type IntTensor, toIntegers } from "../ring/index.ts";
import type { Channel } from "../transport/index.ts";
import { firstCause } from "./first-cause.ts";
import { refuseOutside } from "./input-bounds.ts";
import { createPatience, type Patience } from "./patience.ts";
import { createPredictor, metaInputs } from "./predict.ts";
import {
  decodeRequest,
  encodeRequest,
  maxRequestBytes,
  prefillStart,
  programAt,
  type QueryPosition,
} from "./requests.ts";
import { type Peers, runOffline, runOnline } from "./run-steps.ts";
import { hasServerInputs, noInputs, type ServerInputs } from "./server-inputs.ts";
import { cacheInputs, type SessionCache, updateCache, weightsAt } from "./session-cache.ts";
import { exchangeSeeds, type SessionSeeds } from "./session-seeds.ts";
import { createSessionState, type SessionState } from "./session-state.ts";
import { sessionWeights } from "./session-weights.ts";

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
  decodeProgram,
  shorterPrefills = [],
}: Pick<PartyOptions, "program" | "decodeProgram" | "shorterPrefills">): readonly Program[] =>
  decodeProgram ? [program, decodeProgram, ...shorterPrefills] : [program];

export interface QueryResult {
  readonly at: QueryPosition;
  /** Integers of the outputs that this party may read, at their declared scales. */
  readonly outputs: ReadonlyMap<string, IntTensor>;
  /** This party's residues of the outputs that stay shared. */
  readonly residues: ReadonlyMap<string, IntTensor>;
  readonly rounds: number;
  readonly seconds: { readonly offline: number; readonly online: number };
}

/**
 * The client's side of a session, after the handshakes. A failure is final: the session is over, its randomness used
 * up.
 */
export interface ClientSession {
  /** Asks for the next query's correlations and draws them, before its input is known. */
  readonly prepare: (at?: QueryPosition, record?: string, shares?: readonly string[]) => Promise<void>;
  /**
   * Runs the prepared query, or prepares and runs one. Inputs are integers at the declared scales (`quantizeInput`), and
   * this party's residues. `record` and `shares`: by what the server finds its own part of them.
   * @throws RangeError for integers beyond the declared bounds, before anything of the input is sent
   */
  readonly query: (
    inputs: Readonly<Record<string, IntTensor>>,
    at?: QueryPosition,
    record?: string,
    shares?: readonly string[],
  ) => Promise<QueryResult>;
  readonly end: () => Promise<void>;
}

export interface ServerSession {
  /**
   * Answers the client's next query; undefined once the client has ended the session.
   * @throws SessionError noServerInput where `inputs` lacks what the program takes from the server
   */
  readonly serve: (inputs?: ServerInputs) => Promise<QueryResult | undefined>;
}

export async function openClient(options: PartyOptions): Promise<ClientSession> {
  const { peer } = options;
  const party = await openParty(options, "client");
  const programs = sessionPrograms(options);
  let prepared: PreparedQuery | undefined;
  const prepare = (at: QueryPosition, record?: string, shares?: readonly string[]): Promise<PreparedQuery> => {
    party.programFor(at);
    return party.orEndSession(async () => {
      const subject = { ...(record !== undefined && { record }), ...(shares && { shares }) };
      const request = { kind: "query", query: party.nextQuery, at, ...subject } as const;
      await peer.send(encodeRequest(request), "control");
      try {
        return await party.prepare(at);
      } catch (error) {
        throw await firstCause(error, peer);
      }
    });
  };
  return {
    prepare: async (at = prefillStart, record, shares) => {
      prepared ??= await prepare(at, record, shares);
    },
    query: async (inputs, at = prefillStart, record, shares) => {
      const early = prepared?.at;
      if (early && (early.program !== at.program || early.position !== at.position))
        throw new Error(
          `position ${early.program}:${early.position} was prepared, but the query is for ${at.program}:${at.position}; query the prepared one`,
        );
      // A prepared query has counted its position already.
      refuseOutside(early ? programs[early.program]! : party.programFor(at), inputs, "client");
      const ready = prepared ?? (await prepare(at, record, shares));
      prepared = undefined;
      return await party.orEndSession(() => party.run(ready, inputs));
    },
    end: () => peer.send(encodeRequest({ kind: "end" }), "control"),
  };
}

export async function openServer(options: PartyOptions): Promise<ServerSession> {
  const { peer, dealer } = options;
  const party = await openParty(options, "server");
  const serve = async (inputs: ServerInputs): Promise<QueryResult | undefined> => {
    const request = decodeRequest(await peer.receive({ kind: "control", maxBytes: maxRequestBytes }), "client");
    if (request.kind === "query" && request.query !== party.nextQuery) {
      throw sessionError("reusedCorrelation", { query: request.query, consumed: party.nextQuery - 1 });
    }
    if (request.kind === "end") {
      await dealer.send(encodeRequest(request), "control");
      return undefined;
    }
    const program = party.programFor(request.at);
    const own = hasServerInputs(program) ? await inputs(request) : {};
    refuseOutside(program, own, "server");
    // The dealer does not learn what the query is about.
    await dealer.send(encodeRequest({ kind: "query", query: request.query, at: request.at }), "control");
    return await party.run(await party.prepare(request.at), own);
  };
  return { serve: (inputs = noInputs) => party.orEndSession(() => serve(inputs)) };
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
  readonly run: (prepared: PreparedQuery, inputs: Inputs) => Promise<QueryResult>;
  readonly orEndSession: SessionState["orEndSession"];
}

type PartyRole = "client" | "server";
type Inputs = Readonly<Record<string, IntTensor>>;

/** What stays the same in a session, and what its queries change. */
interface PartySession {
  readonly role: PartyRole;
  readonly programs: readonly Program[];
  readonly weights: ReturnType<typeof sessionWeights>;
  readonly predicted: ReturnType<typeof createPredictor>;
  readonly seeds: SessionSeeds;
  readonly handles: Readonly<Record<string, HeldWeight>>;
  readonly peers: Peers & { readonly dealer: Channel };
  readonly patience: Patience;
  readonly state: SessionState;
  nextQuery: number;
}

async function openParty(options: PartyOptions, role: PartyRole): Promise<OpenParty> {
  const { peer, dealer } = options;
  const programs = sessionPrograms(options);
  const weights = sessionWeights(programs);
  const predicted = createPredictor(programs);
  const { seeds, handles } = await exchangeSeeds(options, role, weights.weights);
  const patience = createPatience([peer, dealer]);
  const peers = patience.around({ [role === "client" ? "server" : "client"]: peer, dealer });
  const state = createSessionState();
  const session: PartySession = {
    role,
    programs,
    weights,
    predicted,
    seeds,
    handles,
    peers,
    patience,
    state,
    nextQuery: 0,
  };
  return {
    get nextQuery() {
      return session.nextQuery;
    },
    programFor: (at) => programFor(session, at),
    prepare: (at) => prepareQuery(session, at),
    run: (prepared, inputs) => runPrepared(session, prepared, inputs),
    orEndSession: state.orEndSession,
  };
}

const programFor = ({ role, programs, state }: PartySession, at: QueryPosition): Program =>
  programAt(programs, at, state.alive().prepared.rows, role === "server" ? "client" : "server");

function bodyOf(
  { programs, weights, handles }: PartySession,
  at: QueryPosition,
  party: Party,
  inputs: Inputs,
  cache: SessionCache,
): ReturnType<Program["body"]> {
  const program = programs[at.program]!;
  const held = weightsAt(program, weights.of(at.program, handles), at.position);
  return program.body(toolbox, party, inputs, held, cacheInputs(program, cache));
}

/** Draws every correlation of a query, before its input is known. */
async function prepareQuery(session: PartySession, at: QueryPosition): Promise<PreparedQuery> {
  const { role, seeds, peers, patience, state } = session;
  const program = programFor(session, at);
  const { prepared } = state.alive();
  const started = performance.now();
  const predicted = session.predicted(at);
  patience.begin(predicted);
  const segments = predicted.segments[role];
  const store = createCorrelationStore();
  let frame: Uint8Array = new Uint8Array(0);
  const take = (bytes: number): Uint8Array => {
    const taken = frame.subarray(0, bytes);
    frame = frame.subarray(bytes);
    return taken;
  };
  const party = preparingParty({
    role,
    seed: seeds.seed,
    sharedSeed: seeds.sharedSeed,
    privateSeed: seeds.ownSeed,
    query: session.nextQuery++,
    store,
    dealerMessages: { take },
  });
  const results = await runOffline(bodyOf(session, at, party, metaInputs(program), prepared), {
    before: async (segment) => {
      const due = segments[segment]!;
      if (due > 0) frame = await peers.dealer.receive({ exactBytes: due });
    },
  });
  state.update({ prepared: updateCache(program, prepared, results, at.position) });
  return { at, store, seconds: (performance.now() - started) / 1000 };
}

/** Runs a prepared query online. */
async function runPrepared(
  session: PartySession,
  { at, store, seconds }: PreparedQuery,
  inputs: Inputs,
): Promise<QueryResult> {
  const { role, state, peers, patience } = session;
  const { online } = state.alive();
  const program = session.programs[at.program]!;
  const started = performance.now();
  let rounds = 0;
  // What the other party knows is empty here.
  const known = { ...metaInputs(program), ...inputs };
  const steps = bodyOf(session, at, onlineParty(role, store), known, online);
  const results = await runOnline(steps, role, peers, () => {
    rounds += 1;
  });
  patience.end();
  if (store.remaining > 0) throw new Error(`internal error: ${store.remaining} correlations were not used`);
  state.update({ online: updateCache(program, online, results, at.position) });
  const integersTo = (to: PartyRole | "shared") =>
    new Map(
      Object.entries(results)
        .filter(([name]) => program.outputs[name]?.to === to)
        .map(([name, handle]) => [name, toIntegers((handle as Share).tensor)]),
    );
  return {
    at,
    outputs: integersTo(role),
    residues: integersTo("shared"),
    rounds,
    seconds: { offline: seconds, online: (performance.now() - started) / 1000 },
  };
}
