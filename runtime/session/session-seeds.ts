import { freshSeed, joinSeeds } from "../core/index.ts";
import type { HeldWeight, Program } from "../program/index.ts";
import type { IntTensor } from "../ring/index.ts";
import type { Channel } from "../transport/index.ts";
import { seedBytes } from "./predict.ts";
import { openedBytes, setUpWeights } from "./session-weights.ts";

/** The links of a party, and its own weights by their names in its file. */
interface SeedExchange {
  readonly peer: Channel;
  readonly dealer: Channel;
  readonly tensors: ReadonlyMap<string, IntTensor>;
}

export interface SessionSeeds {
  /** Seed shared with the dealer. */
  readonly seed: Uint8Array;
  /** Seed of client and server, from a half of each. */
  readonly sharedSeed: Uint8Array;
  readonly ownSeed: Uint8Array;
}

/** Exchanges seeds and hidden weights, once per session. */
export async function exchangeSeeds(
  { peer, dealer, tensors }: SeedExchange,
  role: "client" | "server",
  weights: Program["weights"],
): Promise<{ readonly seeds: SessionSeeds; readonly handles: Readonly<Record<string, HeldWeight>> }> {
  const ownSeed = freshSeed();
  const seed = await dealer.receive({ exactBytes: seedBytes });
  // Both halves at once: neither party's choice alone decides the pads and joint masks.
  const half = freshSeed();
  await peer.send(half.slice());
  const theirs = await peer.receive({ exactBytes: seedBytes });
  const sharedSeed = role === "client" ? joinSeeds(half, theirs) : joinSeeds(theirs, half);
  const due = openedBytes(weights);
  const received = role === "client" && due > 0 ? await peer.receive({ exactBytes: due }) : new Uint8Array(0);
  const sources = role === "server" ? { sharedSeed, serverSeed: seed } : { sharedSeed, received };
  const { handles, toDealer, toClient } = setUpWeights(role, weights, { tensors, ...sources });
  if (role === "server") {
    if (toClient.length > 0) await peer.send(toClient);
    await dealer.send(toDealer);
  }
  return { seeds: { seed, sharedSeed, ownSeed }, handles };
}
