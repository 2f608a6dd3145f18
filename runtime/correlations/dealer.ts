import type { FreshMask, Party } from "../party.ts";
import { add, pack, shiftLeft, shiftRight, sub, widen, xorWords } from "../ring/index.ts";
import { ghost, type RingTensor, type Shape } from "../ring/tensor.ts";
import { createStreams, type OpenStreams } from "./streams.ts";

interface DealerSources {
  /** Seeds shared with each party, for this session. */
  readonly clientSeed: Uint8Array;
  readonly serverSeed: Uint8Array;
  /** Seed of the dealer's own, known to nobody else. */
  readonly ownSeed: Uint8Array;
  readonly query: number;
  /** Takes the server's corrections in the order of the program. */
  readonly emit: (label: string, packed: Uint8Array) => void;
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
  const own = open(sources.ownSeed, "query", String(sources.query));
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
    dealerRandom: (shape, width) => own(label, "own").ring(shape, width),
    clientMask: (shape, width) => client(label, "client").ring(shape, width),
    dealt: (secret) => {
      sources.emit(label, pack(sub(secret, client(label, "dealt").ring(secret.shape, secret.width))));
      return ghost(secret.shape, secret.width);
    },
    dealtWords: (secret) => {
      sources.emit(label, pack(xorWords(secret, client(label, "dealt").ring(secret.shape, secret.width))));
      return ghost(secret.shape, secret.width);
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
