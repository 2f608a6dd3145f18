import type { FreshMask, Party } from "../core/index.ts";
import {
  add,
  computeNow,
  metaTensor,
  narrow,
  packedBytes,
  type RingTensor,
  type Shape,
  shiftLeft,
  unpack,
  widen,
} from "../ring/index.ts";
import type { CorrelationStore } from "./correlation-store.ts";
import { createStreams, nestedLabel, type StreamFactory, type Streams } from "./random-streams.ts";

/** What the dealer sent to a party, read from the front in program order. */
export interface DealerMessages {
  take(bytes: number): Uint8Array;
}

interface CorrelationSources {
  readonly role: "client" | "server";
  /** Seed shared with the dealer, for this session. */
  readonly seed: Uint8Array;
  /** Seed that the client and the server share, for this session. */
  readonly sharedSeed: Uint8Array;
  /** Index of the query in the session: each query has separate streams. */
  readonly query: number;
  readonly store: CorrelationStore;
  /** This party's own seed; only a client draws from it. */
  readonly privateSeed?: Uint8Array;
  /** The dealer's corrections; at a client only the broadcast tensors. */
  readonly dealerMessages?: DealerMessages;
  /** Opens streams; default `createStreams`, tests replace it. */
  readonly streams?: StreamFactory;
}

/**
 * The party while it prepares. It runs the program once, with meta tensors for everything that is known online only,
 * draws every correlation on the way and puts it into the store.
 */
export function preparingParty(sources: CorrelationSources): Party {
  const { role, store, dealerMessages } = sources;
  const open = sources.streams ?? createStreams;
  const streams = open(sources.seed, "query", String(sources.query));
  const sharedStreams = open(sources.sharedSeed, "query", String(sources.query));
  const own: Streams = (label, use) => {
    if (!sources.privateSeed) throw new Error("internal error: clientRandom needs a privateSeed");
    ownStreams ??= open(sources.privateSeed, "query", String(sources.query));
    return ownStreams(label, use);
  };
  let ownStreams: Streams | undefined;
  const keep = (label: string, item: RingTensor): RingTensor => {
    store.put(label, item);
    return item;
  };
  /** The client expands its share from its seed; the server receives its share from the dealer. */
  const half = (label: string, shape: Shape, width: number): RingTensor => {
    if (role === "client") return streams(label, "dealt").ring(shape, width);
    return delivered(shape, width);
  };
  const delivered = (shape: Shape, width: number): RingTensor => {
    if (!dealerMessages) throw new Error(`internal error: a ${role} that prepares needs dealerMessages`);
    return unpack(dealerMessages.take(packedBytes(shape, width)), shape, width);
  };
  const at = (label: string): Party => ({
    role,
    at: (inner) => at(nestedLabel(label, inner)),
    mask: (shape, width): FreshMask => ({
      share: keep(label, streams(label, "mask").ring(shape, width)),
      secret: metaTensor(shape, width),
      fresh: true,
    }),
    sharedRandom: (shape, width) => keep(label, sharedStreams(label, "joint").ring(shape, width)),
    clientMask: (shape, width) =>
      keep(label, role === "client" ? streams(label, "client").ring(shape, width) : metaTensor(shape, width)),
    serverMask: (shape, width) =>
      keep(label, role === "server" ? streams(label, "server").ring(shape, width) : metaTensor(shape, width)),
    clientRandom: (shape, width) =>
      keep(label, role === "client" ? own(label, "own").ring(shape, width) : metaTensor(shape, width)),
    sharedRandomWithDealer: (other, shape, width) =>
      keep(label, role === other ? streams(label, "with dealer").ring(shape, width) : metaTensor(shape, width)),
    dealt: (secret) => keep(label, half(label, secret.shape, secret.width)),
    dealtXor: (secret) => keep(label, half(label, secret.shape, secret.width)),
    broadcast: (secret) => keep(label, delivered(secret.shape, secret.width)),
    extendMask: (mask, width) => {
      const { share } = mask;
      if (width <= share.width) return narrow(share, width);
      const top = half(label, share.shape, width - share.width);
      return keep(label, add(widen(share, width), shiftLeft(widen(top, width), share.width)));
    },
    offline: (compute) => keep(label, computeNow(compute())),
  });
  return at("");
}

/** The party online: the same calls return what was prepared, each item once. */
export function onlineParty(role: "client" | "server", store: CorrelationStore): Party {
  const at = (label: string): Party => {
    const taken = (shape: Shape, width: number): RingTensor => store.take(label, shape, width);
    return {
      role,
      at: (inner) => at(nestedLabel(label, inner)),
      mask: (shape, width) => ({ share: taken(shape, width), secret: metaTensor(shape, width), fresh: true }),
      sharedRandom: taken,
      clientMask: taken,
      serverMask: taken,
      clientRandom: taken,
      sharedRandomWithDealer: (_, shape, width) => taken(shape, width),
      dealt: (secret) => taken(secret.shape, secret.width),
      dealtXor: (secret) => taken(secret.shape, secret.width),
      broadcast: (secret) => taken(secret.shape, secret.width),
      extendMask: (mask, width) =>
        width <= mask.share.width ? narrow(mask.share, width) : taken(mask.share.shape, width),
      offline: () => store.takeNext(label),
    };
  };
  return at("");
}
