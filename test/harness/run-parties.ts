import type { Party } from "../../runtime/core/party.ts";
import type { Role, Steps, Transfer } from "../../runtime/core/steps.ts";
import { createCorrelationStore } from "../../runtime/correlations/correlation-store.ts";
import { countingParty, noDealerBytes } from "../../runtime/correlations/counting-party.ts";
import { dealerParty, onlineDealerParty } from "../../runtime/correlations/dealer.ts";
import { onlineParty, preparingParty } from "../../runtime/correlations/preparing-party.ts";
import type { StreamFactory } from "../../runtime/correlations/random-streams.ts";
import { add } from "../../runtime/ring/arithmetic.ts";
import { pack, unpack } from "../../runtime/ring/pack.ts";
import { metaTensor, packedBytes, type RingTensor, type Shape } from "../../runtime/ring/tensor.ts";

/** Bytes of one query, offline and online together. Optional links are present only if they carry something. */
export interface QueryTraffic {
  rounds: number;
  clientToServer: number;
  serverToClient: number;
  dealerToServer: number;
  dealerToClient?: number;
  clientToDealer?: number;
  serverToDealer?: number;
}

export interface PartiesRun<T> {
  readonly client: T;
  readonly server: T;
  /** Result at the dealer, if it takes part online. */
  readonly dealer: T;
  readonly metered: QueryTraffic;
  readonly counted: QueryTraffic;
  /** All tensors that the party received, in order: the dealer's material, then every message. */
  readonly view: Readonly<Record<Role, readonly RingTensor[]>>;
  /**
   * The same view with each half of an exchange replaced by the sum of both. It has as much information, since a party
   * knows what it sent. But an unmasked sum is visible at once, where the half alone needs the rest of the view.
   */
  readonly sums: Readonly<Record<Role, readonly RingTensor[]>>;
}

/** The reading of a body; inputs are known online only. */
export type Reading = "deal" | "prepare" | "online" | "count";
export type PartyBody<T> = (party: Party, stage: Reading) => Steps<T>;

/** A seed that holds its number and, in the last byte, its owner. */
export const seedOf = (n: number, tag: number): Uint8Array => {
  const seed = new Uint8Array(32);
  new DataView(seed.buffer).setUint32(0, n, true);
  seed[31] = tag;
  return seed;
};
export const tags = { client: 1, server: 2, joint: 4, clientOwn: 5 } as const;
export type Source = keyof typeof tags;
export const sourceOf = (seed: Uint8Array): Source =>
  (Object.keys(tags) as Source[]).find((source) => tags[source] === seed[31])!;

/** Answers a party's round with meta tensors. */
const metaReplies = (round: readonly Transfer[]): RingTensor[] =>
  round.map((t) => metaTensor(t.tensor.shape, t.tensor.width));

/** Runs steps to the end on meta replies, and returns their result. */
export function drain<T>(steps: Steps<T>, onRound: (round: readonly Transfer[]) => void = () => {}): T {
  let state = steps.next();
  while (!state.done) {
    onRound(state.value);
    state = steps.next(metaReplies(state.value));
  }
  return state.value;
}

/** Runs one body at the dealer, prepares and runs it at all parties in one process, and counts it on meta tensors. */
export function runParties<T>(body: PartyBody<T>, trial = 1, streams?: StreamFactory): PartiesRun<T> {
  const seed = (source: Source): Uint8Array => seedOf(trial, tags[source]);
  const source = streams ? { streams } : {};
  const delivered = { client: [] as Uint8Array[], server: [] as Uint8Array[] };
  const view: Record<Role, RingTensor[]> = { client: [], server: [], dealer: [] };
  const dealerStore = createCorrelationStore();
  const dealer = dealerParty({
    clientSeed: seed("client"),
    serverSeed: seed("server"),
    query: 0,
    sendToServer: (_, packed) => delivered.server.push(packed),
    sendToClient: (_, packed) => delivered.client.push(packed),
    store: dealerStore,
    ...source,
  });
  const sent: { shape: Shape; width: number; isBroadcast: boolean }[] = [];
  drain(
    body(
      observeDealer(dealer, (shape, width, isBroadcast) => sent.push({ shape, width, isBroadcast })),
      "deal",
    ),
  );
  view.server.push(...delivered.server.map((packed, k) => unpack(packed, sent[k]!.shape, sent[k]!.width)));
  const broadcast = sent.filter(({ isBroadcast }) => isBroadcast);
  view.client.push(...delivered.client.map((packed, k) => unpack(packed, broadcast[k]!.shape, broadcast[k]!.width)));

  const prepare = (role: "client" | "server") => {
    const store = createCorrelationStore();
    const stream = [...delivered[role]];
    const deliveries = {
      take: (bytes: number) => {
        const packed = stream.shift();
        if (!packed || packed.length !== bytes)
          throw new Error(`expected a delivery of ${bytes} bytes, found ${packed?.length ?? "none"}`);
        return packed;
      },
    };
    const party = preparingParty({
      role,
      seed: seed(role),
      sharedSeed: seed("joint"),
      privateSeed: seed("clientOwn"),
      query: 0,
      store,
      dealerMessages: deliveries,
      ...source,
    });
    drain(body(party, "prepare"));
    if (stream.length > 0) throw new Error(`expected all deliveries to be taken, found ${stream.length} left`);
    return { role, store, steps: body(onlineParty(role, store), "online") };
  };
  const parties = [
    prepare("client"),
    prepare("server"),
    { role: "dealer" as const, store: dealerStore, steps: body(onlineDealerParty(dealerStore), "online") },
  ];
  const bytes = (packed: readonly Uint8Array[]): number => packed.reduce((sum, { length }) => sum + length, 0);
  const metered = createMeter({ server: bytes(delivered.server), client: bytes(delivered.client) });
  const sums = { client: [...view.client], server: [...view.server], dealer: [] as RingTensor[] };

  let states = parties.map(({ steps }) => steps.next());
  while (states.every((state) => !state.done)) {
    metered.round();
    const rounds = states.map((state) => state.value as readonly Transfer[]);
    const [first] = rounds;
    if (rounds.some((round) => round.length !== first!.length))
      throw new Error("expected the same number of transfers at all parties in a round");
    const sent = first!.map(({ from }, k) => rounds[parties.findIndex(({ role }) => role === from)]![k]!);
    const answers = rounds.map(metaReplies);
    sent.forEach(({ from, to, tensor }, k) => {
      const packed = pack(tensor);
      metered.message(from, to, packed.length);
      const arrived = unpack(packed, tensor.shape, tensor.width);
      view[to].push(arrived);
      // The other half of an exchange is next to it, in the opposite direction.
      const beside = [sent[k - 1], sent[k + 1]].find((other) => other?.from === to && other.to === from);
      const exchanged =
        beside && beside.tensor.width === tensor.width && beside.tensor.shape.join() === tensor.shape.join();
      sums[to].push(exchanged ? add(arrived, beside.tensor) : arrived);
      answers[parties.findIndex(({ role }) => role === to)]![k] = arrived;
    });
    states = parties.map(({ steps }, k) => steps.next(answers[k]!));
  }
  if (!states.every((state) => state.done)) throw new Error("expected the same number of rounds at all parties");
  for (const { role, store } of parties) {
    if (store.remaining > 0) throw new Error(`expected ${role} to use all correlations, found ${store.remaining} left`);
  }
  const [atClient, atServer, atDealer] = states.map((state) => state.value as T);
  return {
    client: atClient!,
    server: atServer!,
    dealer: atDealer!,
    metered: metered.traffic,
    counted: count(body),
    view,
    sums,
  };
}

const keyOf: Readonly<Record<string, keyof QueryTraffic>> = {
  "client→server": "clientToServer",
  "server→client": "serverToClient",
  "dealer→server": "dealerToServer",
  "dealer→client": "dealerToClient",
  "client→dealer": "clientToDealer",
  "server→dealer": "serverToDealer",
};

function createMeter(dealt: { readonly server: number; readonly client: number }) {
  const traffic: QueryTraffic = { rounds: 0, clientToServer: 0, serverToClient: 0, dealerToServer: dealt.server };
  if (dealt.client > 0) traffic.dealerToClient = dealt.client;
  return {
    traffic,
    round: () => {
      traffic.rounds += 1;
    },
    message: (from: Role, to: Role, bytes: number) => {
      const key = keyOf[`${from}→${to}`]!;
      traffic[key] = (traffic[key] ?? 0) + bytes;
    },
  };
}

/** A dealer that reports the shape and width of everything that it sends. */
function observeDealer(party: Party, sent: (shape: Shape, width: number, isBroadcast: boolean) => void): Party {
  return {
    ...party,
    at: (label) => observeDealer(party.at(label), sent),
    dealt: (secret) => {
      sent(secret.shape, secret.width, false);
      return party.dealt(secret);
    },
    dealtXor: (secret) => {
      sent(secret.shape, secret.width, false);
      return party.dealtXor(secret);
    },
    broadcast: (secret) => {
      sent(secret.shape, secret.width, true);
      return party.broadcast(secret);
    },
    extendMask: (mask, width) => {
      if (width > mask.secret.width) sent(mask.secret.shape, width - mask.secret.width, false);
      return party.extendMask(mask, width);
    },
  };
}

/** The traffic of a body as the cost model counts it. */
export function count<T>(body: PartyBody<T>): QueryTraffic {
  const account = noDealerBytes();
  const messages: (readonly Transfer[])[] = [];
  drain(body(countingParty("client", account), "count"), (round) => messages.push(round));
  const counted = createMeter(account);
  for (const round of messages) {
    counted.round();
    for (const { from, to, tensor } of round) counted.message(from, to, packedBytes(tensor.shape, tensor.width));
  }
  return counted.traffic;
}
