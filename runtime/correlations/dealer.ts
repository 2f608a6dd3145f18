import type { FreshMask, Party } from "../core/index.ts";
import {
  add,
  metaTensor,
  pack,
  type RingTensor,
  type Shape,
  shiftLeft,
  shiftRight,
  sub,
  widen,
  xorWords,
} from "../ring/index.ts";
import type { CorrelationStore } from "./correlation-store.ts";
import { createStreams, nestedLabel, type StreamFactory } from "./random-streams.ts";

interface DealerSources {
  /** Seeds shared with each party, for this session. */
  readonly clientSeed: Uint8Array;
  readonly serverSeed: Uint8Array;
  readonly query: number;
  /** Sends the server its corrections and the broadcast tensors, in program order. */
  readonly sendToServer: (label: string, packed: Uint8Array) => void;
  /** Sends the client the broadcast tensors. */
  readonly sendToClient?: (label: string, packed: Uint8Array) => void;
  /** Keeps the randomness that the dealer shares with one other party, if it takes part online. */
  readonly store?: CorrelationStore;
  /** Opens streams; default `createStreams`, tests replace it. */
  readonly streams?: StreamFactory;
}

/**
 * The dealer while it deals. It runs the same program, sees masks where the parties see shares, and sends the server
 * the corrections that turn the randomness of two seeds into the requested shares. It never sees an input, a share or
 * an opening.
 */
export function dealerParty(sources: DealerSources): Party {
  const open = sources.streams ?? createStreams;
  const client = open(sources.clientSeed, "query", String(sources.query));
  const server = open(sources.serverSeed, "query", String(sources.query));
  /** The client's share of each mask, for `extendMask`; keyed by the mask itself. */
  const clientShares = new WeakMap<RingTensor, RingTensor>();
  const at = (label: string): Party => ({
    role: "dealer",
    at: (inner) => at(nestedLabel(label, inner)),
    mask: (shape: Shape, width: number): FreshMask => {
      const clientShare = client(label, "mask").ring(shape, width);
      const secret = add(clientShare, server(label, "mask").ring(shape, width));
      clientShares.set(secret, clientShare);
      return { share: metaTensor(shape, width), secret, fresh: true };
    },
    sharedRandom: metaTensor,
    clientMask: (shape, width) => client(label, "client").ring(shape, width),
    serverMask: (shape, width) => server(label, "server").ring(shape, width),
    clientRandom: metaTensor,
    sharedRandomWithDealer: (other, shape, width) => {
      const streams = other === "client" ? client : server;
      sources.store?.put(label, streams(label, "with dealer").ring(shape, width));
      return metaTensor(shape, width);
    },
    dealt: (secret) => {
      sources.sendToServer(label, pack(sub(secret, client(label, "dealt").ring(secret.shape, secret.width))));
      return metaTensor(secret.shape, secret.width);
    },
    dealtXor: (secret) => {
      sources.sendToServer(label, pack(xorWords(secret, client(label, "dealt").ring(secret.shape, secret.width))));
      return metaTensor(secret.shape, secret.width);
    },
    broadcast: (secret) => {
      if (!sources.sendToClient) throw new Error("internal error: a dealer that broadcasts needs sendToClient");
      sources.sendToServer(label, pack(secret));
      sources.sendToClient(label, pack(secret));
      return secret;
    },
    extendMask: (mask, width) => {
      const { secret } = mask;
      if (width <= secret.width) return metaTensor(secret.shape, width);
      const clientShare = clientShares.get(secret)!;
      // The client holds r1 + 2^n·h1 with h1 from its seed. The server's low n bits are already its own r0.
      const top = client(label, "dealt").ring(secret.shape, width - secret.width);
      const clientHolds = add(widen(clientShare, width), shiftLeft(widen(top, width), secret.width));
      sources.sendToServer(label, pack(shiftRight(sub(widen(secret, width), clientHolds), secret.width)));
      return metaTensor(secret.shape, width);
    },
    offline: (compute) => {
      const result = compute();
      return metaTensor(result.shape, result.width);
    },
  });
  return at("");
}

/**
 * The dealer online, where it is a computing party: it takes the randomness that it shares with one other party. All
 * other correlations are meta tensors.
 */
export function onlineDealerParty(store: CorrelationStore): Party {
  const at = (label: string): Party => ({
    role: "dealer",
    at: (inner) => at(nestedLabel(label, inner)),
    mask: (shape, width) => ({ share: metaTensor(shape, width), secret: metaTensor(shape, width), fresh: true }),
    sharedRandom: metaTensor,
    clientMask: metaTensor,
    serverMask: metaTensor,
    clientRandom: metaTensor,
    sharedRandomWithDealer: (_, shape, width) => store.take(label, shape, width),
    dealt: ({ shape, width }) => metaTensor(shape, width),
    dealtXor: ({ shape, width }) => metaTensor(shape, width),
    broadcast: ({ shape, width }) => metaTensor(shape, width),
    extendMask: (mask, width) => metaTensor(mask.secret.shape, width),
    offline: (compute) => {
      const { shape, width } = compute();
      return metaTensor(shape, width);
    },
  });
  return at("");
}
