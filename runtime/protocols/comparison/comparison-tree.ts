import type { MaskedValue, Party, Steps } from "../../core/index.ts";
import {
  add,
  addConstant,
  concat,
  extractBits,
  mul,
  type RingTensor,
  reshape,
  slice,
  zeros,
} from "../../ring/index.ts";
import { maskAndOpen } from "../boundary/index.ts";
import { mapMasked, multiplyMasked, publicShare, sliceRows, stack } from "../kit/index.ts";

/**
 * Carry tree (K-TREE; ours over pairs: docs/protocols/carry-tree.md): XOR shares of 1{X < r} for a public X and a mask
 * r that the dealer knows. Each node holds "below" and "equal" of a run of bits, and two neighbours combine as
 *     below = below_high ⊕ equal_high·below_low,   equal = equal_high·equal_low.
 * A leaf is a pair of bits: the dealer's shares of r's bits and of their product give it without a round. `opened` [T,
 * …shape] holds T values of X per element. ⌈log2 n⌉ − 1 rounds.
 */
export function* treeBelowMask(party: Party, opened: RingTensor, secret: RingTensor): Steps<RingTensor> {
  let { below, equal } = leaves(party, opened, secret);
  while (below.shape[0]! > 1) {
    // A run of bits at the top without a neighbour above it moves to the next level.
    const pairs = Math.floor(below.shape[0]! / 2);
    const odd = below.shape[0]! % 2 === 1;
    const alone = (t: RingTensor): RingTensor[] => (odd ? [sliceRows(t, t.shape[0]! - 1)] : []);
    // Row k of `equal` belongs to node k + 1: the lowest run needs no "equal".
    const high = every(equal, 0, pairs);
    const low = [every(below, 0, pairs), every(equal, 1, pairs - 1)].filter((t) => t.shape[0]! > 0);
    // Each of these bits gets a fresh uniform mask bit: safe to open.
    const nodes = yield* maskAndOpen(party, concat([high, ...low], 0));
    const part = (start: number, count: number): MaskedValue =>
      mapMasked(nodes, (t) => sliceRows(t, start, start + count));
    const carried = multiplyMasked(party, part(0, pairs), part(pairs, pairs), 1);
    below = concat([add(every(below, 1, pairs), carried), ...alone(below)], 0);
    const both = pairs > 1 ? [multiplyMasked(party, part(1, pairs - 1), part(2 * pairs, pairs - 1), 1)] : [];
    const next = [...both, ...alone(equal)];
    equal = next.length > 0 ? concat(next, 0) : equal;
  }
  return reshape(below, opened.shape);
}

/**
 * Nodes of one pair of bits (r1, r0) against the public (X1, X0), lowest pair first, as polynomials in r's bits:
 *     below = x1·r1 ⊕ (x1 ⊕ r1)·x0·r0 and equal = (x1 ⊕ r1)·(x0 ⊕ r0), where x = 1 ⊕ X.
 */
function leaves(party: Party, opened: RingTensor, secret: RingTensor): { below: RingTensor; equal: RingTensor } {
  const bits = secret.width;
  const bitsFrom = (t: RingTensor, first: number): RingTensor =>
    stack([...Array(Math.ceil((bits - first) / 2)).keys()].map((k) => extractBits(t, 2 * k + first, 1)));
  const low = bitsFrom(secret, 0);
  const x0 = addConstant(bitsFrom(opened, 0), 1);
  const r0 = perThreshold(party.dealt(low));
  if (bits === 1) return { below: mul(x0, r0), equal: sliceRows(x0, 1) };
  const high = bitsFrom(secret, 1);
  const both = mul(sliceRows(low, 0, high.shape[0]!), high);
  const r1 = perThreshold(padded(party.dealt(high), low.shape[0]!));
  const r01 = perThreshold(padded(party.dealt(both), low.shape[0]!));
  // An odd bit at the top has a 0 above it, in X and in r.
  const x1 = addConstant(padded(bitsFrom(opened, 1), low.shape[0]!), 1);
  const lowest = add(mul(x1, r0), r01);
  const below = add(mul(x1, r1), mul(x0, lowest));
  const equal = add(add(publicShare(party, mul(x1, x0)), mul(x0, r1)), lowest);
  return { below, equal: sliceRows(equal, 1) };
}

/** [nodes, …shape] for every threshold: [nodes, 1, …shape]. */
const perThreshold = (t: RingTensor): RingTensor => reshape(t, [t.shape[0]!, 1, ...t.shape.slice(1)]);
/** Appends rows of zeros up to `count`. */
const padded = (t: RingTensor, count: number): RingTensor => {
  const missing = count - t.shape[0]!;
  return missing === 0 ? t : concat([t, zeros([missing, ...t.shape.slice(1)], 1)], 0);
};
/** `count` rows, every second row from `first` on. */
const every = (t: RingTensor, first: number, count: number): RingTensor =>
  slice(
    t,
    [first, ...t.shape.slice(1).map(() => 0)],
    [first + 2 * count - 1, ...t.shape.slice(1)],
    [2, ...t.shape.slice(1).map(() => 1)],
  );
