import { countingParty, type DealerBytes } from "../../runtime/correlations/count.ts";
import { dealerParty } from "../../runtime/correlations/dealer.ts";
import { onlineParty, preparingParty } from "../../runtime/correlations/prepare.ts";
import { createStock } from "../../runtime/correlations/stock.ts";
import type { OpenStreams } from "../../runtime/correlations/streams.ts";
import type { Party } from "../../runtime/party.ts";
import { add, pack, unpack } from "../../runtime/ring/index.ts";
import { ghost, packedBytes, type RingTensor, type Shape } from "../../runtime/ring/tensor.ts";
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
  /** All that the party received, in order: what the dealer sent (server only), then every message. */
  readonly view: { readonly client: readonly RingTensor[]; readonly server: readonly RingTensor[] };
  /**
   * The same view with each half of an exchange replaced by the sum of both: as much information, since a party knows
   * what it sent, but a sum that is not masked shows at once, where the half alone needs everything else of the view.
   */
  readonly sums: { readonly client: readonly RingTensor[]; readonly server: readonly RingTensor[] };
}

/** Which reading of a body this is: inputs are known online only. */
export type Stage = "deal" | "prepare" | "online" | "count";
export type Body<T> = (party: Party, stage: Stage) => Steps<T>;

/** A seed that tells its number and, in the last byte, whose it is. */
export const seedOf = (n: number, tag: number): Uint8Array => {
  const seed = new Uint8Array(32);
  new DataView(seed.buffer).setUint32(0, n, true);
  seed[31] = tag;
  return seed;
};
export const tags = { client: 1, server: 2, own: 3, joint: 4 } as const;
export type Source = keyof typeof tags;
export const sourceOf = (seed: Uint8Array): Source =>
  (Object.keys(tags) as Source[]).find((source) => tags[source] === seed[31])!;

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
export function together<T>(body: Body<T>, trial = 1, streams?: OpenStreams): Together<T> {
  const seed = (source: Source): Uint8Array => seedOf(trial, tags[source]);
  const source = streams ? { streams } : {};
  const delivered: Uint8Array[] = [];
  const shapes: { shape: Shape; width: number }[] = [];
  const dealer = dealerParty({
    clientSeed: seed("client"),
    serverSeed: seed("server"),
    ownSeed: seed("own"),
    query: 0,
    emit: (_, packed) => delivered.push(packed),
    ...source,
  });
  drain(
    body(
      observed(dealer, (shape, width) => shapes.push({ shape, width })),
      "deal",
    ),
  );
  const stream = [...delivered];
  const prepare = (role: "client" | "server") => {
    const stock = createStock();
    const deliveries = {
      take: (bytes: number) => {
        const packed = stream.shift();
        if (!packed || packed.length !== bytes) throw new Error(`wanted ${bytes} delivered bytes`);
        return packed;
      },
    };
    const party = preparingParty({
      role,
      seed: seed(role),
      jointSeed: seed("joint"),
      query: 0,
      stock,
      deliveries,
      ...source,
    });
    drain(body(party, "prepare"));
    return { role, stock, steps: body(onlineParty(role, stock), "online") };
  };
  const client = prepare("client");
  const server = prepare("server");
  if (stream.length > 0) throw new Error("the dealer sent more than was taken");

  const metered = { rounds: 0, clientToServer: 0, serverToClient: 0, dealerToServer: 0 };
  metered.dealerToServer = delivered.reduce((sum, packed) => sum + packed.length, 0);
  const view = {
    client: [] as RingTensor[],
    server: delivered.map((packed, k) => unpack(packed, shapes[k]!.shape, shapes[k]!.width)),
  };
  const sums = { client: [] as RingTensor[], server: [...view.server] };
  let a = client.steps.next();
  let b = server.steps.next();
  while (!a.done && !b.done) {
    metered.rounds += 1;
    const toClient = ghosts(a.value);
    const toServer = ghosts(b.value);
    const clients = a.value;
    const servers = b.value;
    if (servers.length !== clients.length) throw new Error("the parties disagree about a round");
    clients.forEach((mine, k) => {
      const theirs = servers[k]!;
      const sent = mine.from === "client" ? mine.tensor : theirs.tensor;
      const packed = pack(sent);
      if (mine.from === "client") metered.clientToServer += packed.length;
      else metered.serverToClient += packed.length;
      const arrived = unpack(packed, sent.shape, sent.width);
      view[mine.to].push(arrived);
      // The other half of an exchange stands beside it and goes the other way.
      const beside = mine.from === "client" ? servers[k + 1] : clients[k - 1];
      const exchanged =
        beside !== undefined &&
        beside.from === mine.to &&
        beside.tensor.width === sent.width &&
        beside.tensor.shape.join() === sent.shape.join();
      sums[mine.to].push(exchanged ? add(arrived, beside.tensor) : arrived);
      if (mine.to === "client") toClient[k] = arrived;
      else toServer[k] = arrived;
    });
    a = client.steps.next(toClient);
    b = server.steps.next(toServer);
  }
  if (!a.done || !b.done) throw new Error("the parties disagree about the number of rounds");
  for (const { role, stock } of [client, server]) {
    if (stock.left > 0) throw new Error(`${role} has ${stock.left} items left`);
  }
  return { client: a.value, server: b.value, metered, counted: count(body), view, sums };
}

/** The dealer, telling the shape and the width of everything it sends. */
function observed(party: Party, sent: (shape: Shape, width: number) => void): Party {
  return {
    ...party,
    at: (label) => observed(party.at(label), sent),
    dealt: (secret) => {
      sent(secret.shape, secret.width);
      return party.dealt(secret);
    },
    dealtWords: (secret) => {
      sent(secret.shape, secret.width);
      return party.dealtWords(secret);
    },
    lifted: (mask, width) => {
      if (width > mask.secret.width) sent(mask.secret.shape, width - mask.secret.width);
      return party.lifted(mask, width);
    },
  };
}

/** The same body read by the cost model. */
export function count<T>(body: Body<T>): Traffic {
  const account: DealerBytes = { byLabel: new Map(), total: 0 };
  const traffic = { rounds: 0, clientToServer: 0, serverToClient: 0, dealerToServer: 0 };
  drain(body(countingParty("client", account), "count"), (round) => {
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
