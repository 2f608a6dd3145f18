import type { Party, Wire } from "../../runtime/party.ts";
import { exchange, openWire } from "../../runtime/protocols/open.ts";
import { add, bitAt, mul, sub } from "../../runtime/ring/index.ts";
import { ghost, type RingTensor } from "../../runtime/ring/tensor.ts";
import type { Steps } from "../../runtime/steps.ts";

/** Sound textbook constructions whose published breaks the library has no place for. Each mutant of them is one edit. */

/** A row of a KV cache: x was opened before and is kept; y is opened when it comes. Both stay wires. */
export function* keptWires(party: Party, x: RingTensor, y: RingTensor): Steps<readonly Wire[]> {
  const kept = yield* openWire(party.at("kept"), x);
  const mask = party.at("new").mask(y.shape, y.width);
  // y + r is uniform, since r is fresh: safe to open.
  const mine = add(y, mask.share);
  return [kept, { kind: "wire", opened: add(mine, yield* exchange(party, mine)), mask }];
}

/**
 * Two lookups in one-time truth tables (Ishai, Kushilevitz, Meldgaard, Orlandi, Paskin-Cherniavsky, TCC 2013): for each
 * the dealer shares the table of a predicate on the index's bits, rotated by the index's mask, and each party looks its
 * share up at the opened index.
 */
export function* lookups(
  party: Party,
  x: RingTensor,
  y: RingTensor,
  rotated: (mask: RingTensor) => RingTensor,
): Steps<readonly RingTensor[]> {
  const r = party.at("first").mask(x.shape, x.width);
  const s = party.at("second").mask(y.shape, y.width);
  const tables = [r, s].map((mask) => party.at("tables").dealtWords(rotated(mask.secret)));
  // Both indices are masked by fresh uniform masks: safe to open.
  const mine = [add(x, r.share), add(y, s.share)];
  const results: RingTensor[] = [];
  for (const [k, masked] of mine.entries()) {
    results.push(bitAt(tables[k]!, add(masked, yield* exchange(party, masked))));
  }
  return results;
}

/** Additive shares x_0 + x_1 + x_2 of which this party holds two, in the order client, server, dealer. */
export interface Held {
  readonly own: RingTensor;
  readonly next: RingTensor;
}

/**
 * Product of replicated shares in the honest-majority setting (Araki, Furukawa, Lindell, Nof, Ohara, CCS 2016): each
 * party's local products, plus its share of zero from pairwise keys, go to the party before it.
 */
export function* replicatedProduct(party: Party, x: Held, y: Held): Steps<RingTensor> {
  const { shape, width } = x.own;
  const keys = {
    client: party.at("zero").joint(shape, width),
    server: party.at("zero").jointWithDealer("server", shape, width),
    dealer: party.at("zero").jointWithDealer("client", shape, width),
  };
  const zero = {
    client: sub(keys.client, keys.dealer),
    server: sub(keys.server, keys.client),
    dealer: sub(keys.dealer, keys.server),
  }[party.role];
  const local = add(add(mul(x.own, y.own), mul(x.own, y.next)), mul(x.next, y.own));
  const masked = add(local, zero);
  const unknown = ghost(shape, width);
  const mine = (role: Party["role"]): RingTensor => (party.role === role ? masked : unknown);
  // The receiver does not know one of the two keys in it: z_i is uniform to it, safe to send.
  const [fromServer, fromDealer, fromClient] = yield [
    { from: "server", to: "client", tensor: mine("server") },
    { from: "dealer", to: "server", tensor: mine("dealer") },
    { from: "client", to: "dealer", tensor: mine("client") },
  ];
  return { client: fromServer!, server: fromDealer!, dealer: fromClient! }[party.role];
}
