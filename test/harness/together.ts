import { countingParty, type DealerBytes } from "../../runtime/correlations/count.ts";
import { dealerParty } from "../../runtime/correlations/dealer.ts";
import { onlineParty, preparingParty } from "../../runtime/correlations/prepare.ts";
import { createStock } from "../../runtime/correlations/stock.ts";
import type { Party } from "../../runtime/party.ts";
import { add, pack, unpack } from "../../runtime/ring/index.ts";
import { ghost, packedBytes, type RingTensor } from "../../runtime/ring/tensor.ts";
import type { Steps, Transfer } from "../../runtime/steps.ts";

export interface Traffic {
  rounds: number;
  clientToServer: number;
  serverToClient: number;
  dealerToServer: number;
}

export interface Together<T> {
  readonly client: T;
  readonly server: T;
  readonly metered: Traffic;
  readonly counted: Traffic;
  /** All that the party received: dealer's bytes (server) and every message, in order. */
  readonly view: { readonly client: readonly Uint8Array[]; readonly server: readonly Uint8Array[] };
}

export const seedOf = (n: number, tag: number): Uint8Array => {
  const seed = new Uint8Array(32);
  new DataView(seed.buffer).setUint32(0, n, true);
  seed[31] = tag;
  return seed;
};

/** Answers a party's round where nothing real arrives. */
const ghosts = (round: readonly Transfer[]): RingTensor[] => round.map((t) => ghost(t.tensor.shape, t.tensor.width));

export function drain<T>(steps: Steps<T>, onRound: (round: readonly Transfer[]) => void = () => {}): T {
  let state = steps.next();
  while (!state.done) {
    onRound(state.value);
    state = steps.next(ghosts(state.value));
  }
  return state.value;
}

/** Runs one body at the dealer, prepares and runs it at both parties in one process, and counts it with ghosts. */
export function together<T>(body: (party: Party) => Steps<T>, trial = 1): Together<T> {
  const seeds = { client: seedOf(trial, 1), server: seedOf(trial, 2), own: seedOf(trial, 3), joint: seedOf(trial, 4) };
  const delivered: Uint8Array[] = [];
  drain(
    body(
      dealerParty({
        clientSeed: seeds.client,
        serverSeed: seeds.server,
        ownSeed: seeds.own,
        query: 0,
        emit: (_, packed) => delivered.push(packed),
      }),
    ),
  );
  const stream = [...delivered];
  const prepared = (["client", "server"] as const).map((role) => {
    const stock = createStock();
    drain(
      body(
        preparingParty({
          role,
          seed: seeds[role],
          jointSeed: seeds.joint,
          query: 0,
          stock,
          deliveries: {
            take: (bytes) => {
              const packed = stream.shift();
              if (!packed || packed.length !== bytes) throw new Error(`wanted ${bytes} delivered bytes`);
              return packed;
            },
          },
        }),
      ),
    );
    return { role, stock, steps: body(onlineParty(role, stock)) };
  });
  if (stream.length > 0) throw new Error("the dealer sent more than was taken");

  const metered = { rounds: 0, clientToServer: 0, serverToClient: 0, dealerToServer: 0 };
  metered.dealerToServer = delivered.reduce((sum, packed) => sum + packed.length, 0);
  const view = { client: [] as Uint8Array[], server: [...delivered] };
  const [client, server] = prepared as [(typeof prepared)[0], (typeof prepared)[0]];
  let a = client.steps.next();
  let b = server.steps.next();
  while (!a.done && !b.done) {
    metered.rounds += 1;
    const toClient = ghosts(a.value);
    const toServer = ghosts(b.value);
    const ours = b.value;
    a.value.forEach((mine, k) => {
      const theirs = ours[k]!;
      const sent = mine.from === "client" ? mine.tensor : theirs.tensor;
      const packed = pack(sent);
      if (mine.from === "client") metered.clientToServer += packed.length;
      else metered.serverToClient += packed.length;
      view[mine.to].push(packed);
      const arrived = unpack(packed, sent.shape, sent.width);
      if (mine.to === "client") toClient[k] = arrived;
      else toServer[k] = arrived;
    });
    a = client.steps.next(toClient);
    b = server.steps.next(toServer);
  }
  if (!a.done || !b.done) throw new Error("the parties disagree about the number of rounds");
  for (const { role, stock } of prepared) if (stock.left > 0) throw new Error(`${role} has ${stock.left} items left`);
  return { client: a.value, server: b.value, metered, counted: count(body), view };
}

/** The same body read by the cost model. */
export function count<T>(body: (party: Party) => Steps<T>): Traffic {
  const account: DealerBytes = { byLabel: new Map(), total: 0 };
  const traffic = { rounds: 0, clientToServer: 0, serverToClient: 0, dealerToServer: 0 };
  drain(body(countingParty("client", account)), (round) => {
    traffic.rounds += 1;
    for (const { from, tensor } of round) {
      const bytes = packedBytes(tensor.shape, tensor.width);
      if (from === "client") traffic.clientToServer += bytes;
      else traffic.serverToClient += bytes;
    }
  });
  traffic.dealerToServer = account.total;
  return traffic;
}

export const joined = (a: RingTensor, b: RingTensor): RingTensor => add(a, b);
