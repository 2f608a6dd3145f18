import { onlineParty, preparingParty } from "../correlations/prepare.ts";
import { createStock, type Stock } from "../correlations/stock.ts";
import type { Share } from "../party.ts";
import type { Program } from "../program.ts";
import { freshSeed } from "../random.ts";
import { toIntegers } from "../ring/index.ts";
import type { IntTensor } from "../ring/tensor.ts";
import { toolbox } from "../toolbox.ts";
import type { Channel } from "../transport/channel.ts";
import { decodeRequest, encodeRequest } from "./control.ts";
import { sessionError } from "./errors.ts";
import { runOnline, runSegments } from "./exchange.ts";
import { ghostInputs, predict, seedBytes } from "./predict.ts";
import { openedBytes, weightHandles } from "./weights.ts";

export interface PartyOptions {
  readonly program: Program;
  /** Integers of the weights that this party knows. */
  readonly tensors: ReadonlyMap<string, IntTensor>;
  readonly peer: Channel;
  readonly dealer: Channel;
}

export interface QueryResult {
  /** Real integers of the outputs that this party may read. */
  readonly outputs: ReadonlyMap<string, IntTensor>;
  readonly rounds: number;
  readonly seconds: { readonly offline: number; readonly online: number };
}

/** One party's side of a session; the handshakes are done. A failure is final: the session is over, its randomness burnt. */
export interface ClientSession {
  /** Asks for the next query's correlations and draws them, before its input is known. */
  readonly prepare: () => Promise<void>;
  /** Runs the prepared query, or prepares and runs one: integers of the inputs at the declared scales. */
  readonly query: (inputs: Readonly<Record<string, IntTensor>>) => Promise<QueryResult>;
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
  const prepare = async (): Promise<Prepared> => {
    await peer.send(encodeRequest({ kind: "query", query: party.next }), "control");
    return await party.prepare();
  };
  return {
    prepare: async () => {
      prepared ??= await prepare();
    },
    query: async (inputs) => {
      const ready = prepared ?? (await prepare());
      prepared = undefined;
      return await party.run(ready, inputs);
    },
    end: () => peer.send(encodeRequest({ kind: "end" }), "control"),
  };
}

export async function openServer(options: PartyOptions): Promise<ServerSession> {
  const { peer, dealer, program } = options;
  const party = await open(options, "server");
  return {
    serve: async () => {
      const request = decodeRequest(await peer.receive({ kind: "control", maxBytes: 64 }), "client");
      if (request.kind === "query" && request.query !== party.next) {
        throw sessionError("reusedCorrelation", { query: request.query, consumed: party.next - 1 });
      }
      await dealer.send(encodeRequest(request), "control");
      if (request.kind === "end") return undefined;
      return await party.run(await party.prepare(), ghostInputs(program));
    },
  };
}

interface Prepared {
  readonly stock: Stock;
  readonly seconds: number;
}

interface OpenParty {
  /** Number of the next query. */
  readonly next: number;
  readonly prepare: () => Promise<Prepared>;
  readonly run: (prepared: Prepared, inputs: Readonly<Record<string, IntTensor>>) => Promise<QueryResult>;
}

/** Seeds and hidden weights, once per session. */
async function open(options: PartyOptions, role: "client" | "server"): Promise<OpenParty> {
  const { program, peer, dealer } = options;
  const ownSeed = freshSeed();
  const seed = await dealer.receive({ exactBytes: seedBytes });
  const jointSeed = role === "client" ? freshSeed() : await peer.receive({ exactBytes: seedBytes });
  if (role === "client") await peer.send(jointSeed.slice());
  const due = openedBytes(program);
  const received = role === "client" && due > 0 ? await peer.receive({ exactBytes: due }) : new Uint8Array(0);
  const seeds = role === "server" ? { jointSeed, serverSeed: seed } : { jointSeed, received };
  const { handles, toDealer, toClient } = weightHandles(role, program, { tensors: options.tensors, ...seeds });
  if (role === "server") {
    if (toClient.length > 0) await peer.send(toClient);
    await dealer.send(toDealer);
  }
  const segments = predict(program).segments[role];
  const peers = { [role === "client" ? "server" : "client"]: peer, dealer };
  let next = 0;
  return {
    get next() {
      return next;
    },
    prepare: async () => {
      const started = performance.now();
      const stock = createStock();
      let frame: Uint8Array = new Uint8Array(0);
      const take = (bytes: number): Uint8Array => {
        const taken = frame.subarray(0, bytes);
        frame = frame.subarray(bytes);
        return taken;
      };
      const party = preparingParty({ role, seed, jointSeed, ownSeed, query: next++, stock, deliveries: { take } });
      await runSegments(program.body(toolbox, party, ghostInputs(program), handles), {
        before: async (segment) => {
          const due = segments[segment]!;
          if (due > 0) frame = await dealer.receive({ exactBytes: due });
        },
      });
      return { stock, seconds: (performance.now() - started) / 1000 };
    },
    run: async ({ stock, seconds }, inputs) => {
      const started = performance.now();
      let rounds = 0;
      const steps = program.body(toolbox, onlineParty(role, stock), inputs, handles);
      const results = await runOnline(steps, role, peers, () => {
        rounds += 1;
      });
      if (stock.left > 0) throw new Error(`${stock.left} correlations are left over`);
      const mine = Object.entries(results).filter(([name]) => program.outputs[name]!.to === role);
      const outputs = new Map(mine.map(([name, handle]) => [name, toIntegers((handle as Share).tensor)]));
      return { outputs, rounds, seconds: { offline: seconds, online: (performance.now() - started) / 1000 } };
    },
  };
}
