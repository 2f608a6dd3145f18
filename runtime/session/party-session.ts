import { onlineParty, preparingParty } from "../correlations/prepare.ts";
import { createStock } from "../correlations/stock.ts";
import type { Program, WeightHandle } from "../program.ts";
import { freshSeed } from "../random.ts";
import { toIntegers } from "../ring/index.ts";
import type { IntTensor } from "../ring/tensor.ts";
import { toolbox } from "../toolbox.ts";
import type { Channel } from "../transport/channel.ts";
import { decodeRequest, encodeRequest } from "./control.ts";
import { runOnline, runSegments } from "./exchange.ts";
import { ghostInputs, predict, seedBytes } from "./predict.ts";
import { hiddenBytes, weightHandles } from "./weights.ts";

export interface PartyOptions {
  readonly program: Program;
  readonly role: "client" | "server";
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
export interface PartySession {
  /** Client: runs the next query on these inputs (integers at the declared scale). */
  readonly query: (inputs: Readonly<Record<string, IntTensor>>) => Promise<QueryResult>;
  /** Server: answers the client's next query; undefined when the client has ended the session. */
  readonly serve: () => Promise<QueryResult | undefined>;
  readonly end: () => Promise<void>;
}

export async function openParty(options: PartyOptions): Promise<PartySession> {
  const { program, role, peer, dealer } = options;
  const seed = await dealer.receive({ exactBytes: seedBytes });
  const jointSeed = role === "client" ? freshSeed() : await peer.receive({ exactBytes: seedBytes });
  if (role === "client") await peer.send(jointSeed.slice());
  const { handles, toDealer } = weightHandles(role, program, options.tensors, jointSeed, undefined);
  if (role === "server") await dealer.send(toDealer);
  if (toDealer.length !== (role === "server" ? hiddenBytes(program) : 0))
    throw new Error("hidden weights have another size");

  const { segments } = predict(program);
  let next = 0;
  const run = (inputs: Readonly<Record<string, IntTensor>>) =>
    runQuery(options, { seed, jointSeed, query: next++, handles, inputs, segments });
  return {
    query: async (inputs) => {
      await peer.send(encodeRequest({ kind: "query", query: next }), "control");
      return run(inputs);
    },
    serve: async () => {
      // Ahead of the client's wish: correlations do not depend on the input.
      await dealer.send(encodeRequest({ kind: "query", query: next }), "control");
      const request = decodeRequest(await peer.receive({ kind: "control", maxBytes: 64 }), "client");
      if (request.kind === "end") return undefined;
      return run(ghostInputs(program));
    },
    end: async () => {
      if (role === "client") await peer.send(encodeRequest({ kind: "end" }), "control");
    },
  };
}

interface Query {
  readonly seed: Uint8Array;
  readonly jointSeed: Uint8Array;
  readonly query: number;
  readonly handles: Readonly<Record<string, WeightHandle>>;
  readonly inputs: Readonly<Record<string, IntTensor>>;
  /** Bytes of the dealer's frames (predict). */
  readonly segments: readonly number[];
}

async function runQuery(options: PartyOptions, query: Query): Promise<QueryResult> {
  const { program, role, peer, dealer } = options;
  const started = performance.now();
  const stock = createStock();
  let frame: Uint8Array = new Uint8Array(0);
  const deliveries = {
    take: (bytes: number): Uint8Array => {
      const taken = frame.subarray(0, bytes);
      frame = frame.subarray(bytes);
      return taken;
    },
  };
  const preparing = preparingParty({
    role,
    seed: query.seed,
    jointSeed: query.jointSeed,
    query: query.query,
    stock,
    deliveries,
  });
  await runSegments(program.body(toolbox, preparing, ghostInputs(program), query.handles), {
    before: async (index) => {
      if (frame.length > 0) throw new Error(`${frame.length} delivered bytes were not taken`);
      const due = role === "server" ? query.segments[index]! : 0;
      if (due > 0) frame = await dealer.receive({ exactBytes: due });
    },
  });
  const prepared = performance.now();
  let rounds = 0;
  const steps = program.body(toolbox, onlineParty(role, stock), query.inputs, query.handles);
  const results = await runOnline(steps, role, peer, () => {
    rounds += 1;
  });
  if (stock.left > 0) throw new Error(`${stock.left} correlations are left over`);
  const outputs = new Map<string, IntTensor>();
  for (const [name, handle] of Object.entries(results)) {
    if (program.outputs[name]!.to === role && handle.kind === "share") outputs.set(name, toIntegers(handle.tensor));
  }
  const ended = performance.now();
  return { outputs, rounds, seconds: { offline: (prepared - started) / 1000, online: (ended - prepared) / 1000 } };
}
