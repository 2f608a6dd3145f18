import type { FreshMask, Party } from "../core/index.ts";
import {
  add,
  ghost,
  pack,
  type RingTensor,
  type Shape,
  shiftLeft,
  shiftRight,
  sub,
  widen,
  xorWords,
} from "../ring/index.ts";
import type { Stock } from "./stock.ts";
import { createStreams, type OpenStreams } from "./streams.ts";

interface DealerSources {
  /** Seeds shared with each party, for this session. */
  readonly clientSeed: Uint8Array;
  readonly serverSeed: Uint8Array;
  readonly query: number;
  /** Takes the server's corrections, and what is announced to both, in the order of the program. */
  readonly emit: (label: string, packed: Uint8Array) => void;
  /** Takes what is announced, for the client. */
  readonly emitToClient?: (label: string, packed: Uint8Array) => void;
  /** Keeps what the dealer shares with one of the others, where it takes part online. */
  readonly stock?: Stock;
  /** Where streams come from: `createStreams` unless a test says otherwise. */
  readonly streams?: OpenStreams;
}

/**
 * The dealer: it runs the same program, sees masks where the parties see shares, and sends the server what turns
 * the two seeds' randomness into shares of what the program asks for. It never sees an input, a share or an opening.
 */
export function dealerParty(sources: DealerSources): Party {
  const open = sources.streams ?? createStreams;
  const client = open(sources.clientSeed, "query", String(sources.query));
  const server = open(sources.serverSeed, "query", String(sources.query));
  /** The client's share of each mask, to lift masks later; keyed by the mask itself. */
  const clientShares = new WeakMap<RingTensor, RingTensor>();
  const at = (label: string): Party => ({
    role: "dealer",
    at,
    mask: (shape: Shape, width: number): FreshMask => {
      const clientShare = client(label, "mask").ring(shape, width);
      const secret = add(clientShare, server(label, "mask").ring(shape, width));
      clientShares.set(secret, clientShare);
      return { share: ghost(shape, width), secret, fresh: true };
    },
    joint: ghost,
    clientMask: (shape, width) => client(label, "client").ring(shape, width),
    serverMask: (shape, width) => server(label, "server").ring(shape, width),
    clientRandom: ghost,
    jointWithDealer: (other, shape, width) => {
      const streams = other === "client" ? client : server;
      sources.stock?.put(label, streams(label, "with dealer").ring(shape, width));
      return ghost(shape, width);
    },
    dealt: (secret) => {
      sources.emit(label, pack(sub(secret, client(label, "dealt").ring(secret.shape, secret.width))));
      return ghost(secret.shape, secret.width);
    },
    dealtWords: (secret) => {
      sources.emit(label, pack(xorWords(secret, client(label, "dealt").ring(secret.shape, secret.width))));
      return ghost(secret.shape, secret.width);
    },
    announced: (secret) => {
      if (!sources.emitToClient) throw new Error("a dealer that announces needs a way to the client");
      sources.emit(label, pack(secret));
      sources.emitToClient(label, pack(secret));
      return secret;
    },
    lifted: (mask, width) => {
      const { secret } = mask;
      if (width <= secret.width) return ghost(secret.shape, width);
      const clientShare = clientShares.get(secret)!;
      // The client holds r1 + 2^n·h1 with h1 from its seed; the server's low n bits are its own r0 already.
      const top = client(label, "dealt").ring(secret.shape, width - secret.width);
      const clientHolds = add(widen(clientShare, width), shiftLeft(widen(top, width), secret.width));
      sources.emit(label, pack(shiftRight(sub(widen(secret, width), clientHolds), secret.width)));
      return ghost(secret.shape, width);
    },
    offline: (compute) => {
      const result = compute();
      return ghost(result.shape, result.width);
    },
  });
  return at("");
}

/**
 * The dealer online, where it is a computing party: of all correlations it takes what it shares with one of the others,
 * and for the rest it is a stranger.
 */
export function dealerOnline(stock: Stock): Party {
  const at = (label: string): Party => ({
    role: "dealer",
    at,
    mask: (shape, width) => ({ share: ghost(shape, width), secret: ghost(shape, width), fresh: true }),
    joint: ghost,
    clientMask: ghost,
    serverMask: ghost,
    clientRandom: ghost,
    jointWithDealer: (_, shape, width) => stock.take(label, shape, width),
    dealt: ({ shape, width }) => ghost(shape, width),
    dealtWords: ({ shape, width }) => ghost(shape, width),
    announced: ({ shape, width }) => ghost(shape, width),
    lifted: (mask, width) => ghost(mask.secret.shape, width),
    offline: (compute) => {
      const { shape, width } = compute();
      return ghost(shape, width);
    },
  });
  return at("");
}
