import type { Party, Share } from "../core/index.ts";
import { freshSeed, sessionError } from "../core/index.ts";
import { createStock, onlineParty, preparingParty, type Stock } from "../correlations/index.ts";
import type { Program } from "../program/index.ts";
import { toolbox } from "../program/index.ts";
import type { IntTensor } from "../ring/index.ts";
import { toIntegers } from "../ring/index.ts";
import type { Channel } from "../transport/index.ts";
import { type Asked, decodeRequest, encodeRequest, maxRequestBytes, programAsked, windowAsked } from "./control.ts";
import { runOnline, runSegments } from "./exchange.ts";
import { atPlace, keptFor, type Memory, nothingKept, remember } from "./memory.ts";
import { ghostInputs, predictions, seedBytes } from "./predict.ts";
import { openedBytes, sessionWeights, weightHandles } from "./weights.ts";

export interface PartyOptions {
  readonly program: Program;
  /** The program that goes on, place by place, from what the first one keeps. */
  readonly next?: Program;
  /** Programs of shorter windows, which keep the same: for texts that begin with less. With `next` alone. */
  readonly windows?: readonly Program[];
  /** Integers of the weights that this party knows. */
  readonly tensors: ReadonlyMap<string, IntTensor>;
  readonly peer: Channel;
  readonly dealer: Channel;
}

/** All programs of a session by the numbers under which they are asked for. */
export const programsOf = ({
  program,
  next,
  windows = [],
}: Pick<PartyOptions, "program" | "next" | "windows">): readonly Program[] =>
  next ? [program, next, ...windows] : [program];

export interface QueryResult {
  readonly asked: Asked;
  /** Real integers of the outputs that this party may read. */
  readonly outputs: ReadonlyMap<string, IntTensor>;
  readonly rounds: number;
  readonly seconds: { readonly offline: number; readonly online: number };
}

/** One party's side of a session; the handshakes are done. A failure is final: the session is over, its randomness burnt. */
export interface ClientSession {
  /** Asks for the next query's correlations and draws them, before its input is known. */
  readonly prepare: (asked?: Asked) => Promise<void>;
  /** Runs the prepared query, or prepares and runs one: integers of the inputs at the declared scales. */
  readonly query: (inputs: Readonly<Record<string, IntTensor>>, asked?: Asked) => Promise<QueryResult>;
  readonly end: () => Promise<void>;
}

export interface ServerSession {
  /** Answers the client's next query; undefined when the client has ended the session. */
  readonly serve: () => Promise<QueryResult | undefined>;
}

export async function openClient(options: PartyOptions): Promise<ClientSession> {
  const { peer } = options;
  const party = await open(options, "client");
  let prepared: Prepared | undefined;
  const prepare = (asked: Asked): Promise<Prepared> => {
    party.check(asked);
    return party.orOver(async () => {
      await peer.send(encodeRequest({ kind: "query", query: party.next, asked }), "control");
      return await party.prepare(asked);
    });
  };
  return {
    prepare: async (asked = windowAsked) => {
      prepared ??= await prepare(asked);
    },
    query: async (inputs, asked = windowAsked) => {
      const ready = prepared ?? (await prepare(asked));
      prepared = undefined;
      const { program, place } = ready.asked;
      if (program !== asked.program || place !== asked.place) throw new Error("another query was prepared");
      return await party.orOver(() => party.run(ready, inputs));
    },
    end: () => peer.send(encodeRequest({ kind: "end" }), "control"),
  };
}

export async function openServer(options: PartyOptions): Promise<ServerSession> {
  const { peer, dealer } = options;
  const party = await open(options, "server");
  const serve = async (): Promise<QueryResult | undefined> => {
    const request = decodeRequest(await peer.receive({ kind: "control", maxBytes: maxRequestBytes }), "client");
    if (request.kind === "query" && request.query !== party.next) {
      throw sessionError("reusedCorrelation", { query: request.query, consumed: party.next - 1 });
    }
    const asked = request.kind === "query" ? party.check(request.asked) : undefined;
    await dealer.send(encodeRequest(request), "control");
    if (request.kind === "end" || !asked) return undefined;
    return await party.run(await party.prepare(request.asked), ghostInputs(asked));
  };
  return { serve: () => party.orOver(serve) };
}

interface Prepared {
  readonly asked: Asked;
  readonly stock: Stock;
  readonly seconds: number;
}

interface OpenParty {
  /** Number of the next query. */
  readonly next: number;
  /** The program that is asked for. @throws where the session is not there yet, or has failed. */
  readonly check: (asked: Asked) => Program;
  readonly prepare: (asked: Asked) => Promise<Prepared>;
  readonly run: (prepared: Prepared, inputs: Readonly<Record<string, IntTensor>>) => Promise<QueryResult>;
  /** Does the work; if it fails, the session is over and what it kept is dropped. */
  readonly orOver: <T>(work: () => Promise<T>) => Promise<T>;
}

/** Seeds and hidden weights, once per session. */
async function open(options: PartyOptions, role: "client" | "server"): Promise<OpenParty> {
  const { peer, dealer } = options;
  const programs = programsOf(options);
  const all = sessionWeights(programs);
  const predicted = predictions(programs);
  const ownSeed = freshSeed();
  const seed = await dealer.receive({ exactBytes: seedBytes });
  const jointSeed = role === "client" ? freshSeed() : await peer.receive({ exactBytes: seedBytes });
  if (role === "client") await peer.send(jointSeed.slice());
  const due = openedBytes(all.weights);
  const received = role === "client" && due > 0 ? await peer.receive({ exactBytes: due }) : new Uint8Array(0);
  const seeds = role === "server" ? { jointSeed, serverSeed: seed } : { jointSeed, received };
  const { handles, toDealer, toClient } = weightHandles(role, all.weights, { tensors: options.tensors, ...seeds });
  if (role === "server") {
    if (toClient.length > 0) await peer.send(toClient);
    await dealer.send(toDealer);
  }
  const peers = { [role === "client" ? "server" : "client"]: peer, dealer };
  let next = 0;
  /** What is kept, as far as it is prepared (shares of masks) and as far as it is opened. Absent once a query has failed. */
  let memory: { readonly prepared: Memory; readonly online: Memory } | undefined = {
    prepared: nothingKept,
    online: nothingKept,
  };
  const alive = (): { readonly prepared: Memory; readonly online: Memory } => {
    if (!memory) throw sessionError("sessionOver", {});
    return memory;
  };
  const orOver = async <T>(work: () => Promise<T>): Promise<T> => {
    alive();
    try {
      return await work();
    } catch (error) {
      memory = undefined;
      throw error;
    }
  };
  const check = (asked: Asked): Program =>
    programAsked(programs, asked, alive().prepared.rows, role === "server" ? "client" : "server");
  const bodyOf = (asked: Asked, party: Party, inputs: Readonly<Record<string, IntTensor>>, kept: Memory) => {
    const current = programs[asked.program]!;
    const weights = atPlace(current, all.of(asked.program, handles), asked.place);
    return current.body(toolbox, party, inputs, weights, keptFor(current, kept));
  };
  const prepare = async (asked: Asked): Promise<Prepared> => {
    const current = check(asked);
    const { prepared } = alive();
    const started = performance.now();
    const segments = predicted(asked).segments[role];
    const stock = createStock();
    let frame: Uint8Array = new Uint8Array(0);
    const take = (bytes: number): Uint8Array => {
      const taken = frame.subarray(0, bytes);
      frame = frame.subarray(bytes);
      return taken;
    };
    const party = preparingParty({ role, seed, jointSeed, ownSeed, query: next++, stock, deliveries: { take } });
    const results = await runSegments(bodyOf(asked, party, ghostInputs(current), prepared), {
      before: async (segment) => {
        const due = segments[segment]!;
        if (due > 0) frame = await dealer.receive({ exactBytes: due });
      },
    });
    memory = { ...alive(), prepared: remember(current, prepared, results, asked.place) };
    return { asked, stock, seconds: (performance.now() - started) / 1000 };
  };
  const run = async (
    { asked, stock, seconds }: Prepared,
    inputs: Readonly<Record<string, IntTensor>>,
  ): Promise<QueryResult> => {
    const { online } = alive();
    const current = programs[asked.program]!;
    const started = performance.now();
    let rounds = 0;
    const results = await runOnline(bodyOf(asked, onlineParty(role, stock), inputs, online), role, peers, () => {
      rounds += 1;
    });
    if (stock.left > 0) throw new Error(`${stock.left} correlations are left over`);
    memory = { ...alive(), online: remember(current, online, results, asked.place) };
    const mine = Object.entries(results).filter(([name]) => current.outputs[name]?.to === role);
    const outputs = new Map(mine.map(([name, handle]) => [name, toIntegers((handle as Share).tensor)]));
    return { asked, outputs, rounds, seconds: { offline: seconds, online: (performance.now() - started) / 1000 } };
  };
  return {
    get next() {
      return next;
    },
    check,
    prepare,
    run,
    orOver,
  };
}
