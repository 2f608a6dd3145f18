import { type Party, parallel, type ReplicatedShare, type Steps } from "../../../core/index.ts";
import { concat, extractBits, mul, neg, type RingTensor, reshape, slice } from "../../../ring/index.ts";
import {
  addReplicated,
  complementBit,
  mapComponents,
  multiplyReplicated,
  replicatedToAdditive,
  shareFromClient,
  shareFromThirdComponent,
  zipComponents,
} from "./replicated-sharing.ts";

/** All bits of every residue along a new last axis, lowest first. */
function bitsOf(x: RingTensor): RingTensor {
  const bits = Array.from({ length: x.width }, (_, k) => reshape(extractBits(x, k, 1), [...x.shape, 1]));
  return concat(bits, x.shape.length);
}

/** Every `step`-th bit of the last axis from `from` on, `count` in all. */
const sliceBits = (x: ReplicatedShare, from: number, count: number, step = 1): ReplicatedShare =>
  mapComponents(x, (t) => {
    const last = t.shape.length - 1;
    const along = (value: number, rest: (axis: number) => number): number[] =>
      t.shape.map((_, axis) => (axis === last ? value : rest(axis)));
    const end = from + (count - 1) * step + 1;
    return slice(
      t,
      along(from, () => 0),
      along(end, (axis) => t.shape[axis]!),
      along(step, () => 1),
    );
  });

const concatBits = (...parts: readonly ReplicatedShare[]): ReplicatedShare =>
  zipComponents(parts, (...t) => concat(t, t[0]!.shape.length - 1));

const bitCount = (x: ReplicatedShare): number => x.components[0].shape.at(-1)!;
const withoutLast = (x: ReplicatedShare): ReplicatedShare => mapComponents(x, (t) => reshape(t, t.shape.slice(0, -1)));

/**
 * The top bit, the sign of x (ABY3, section 5.3: conversion to bits by an addition of which only the carry into the top
 * bit is computed). Carries combine in a tree: (g, p)∘(g', p') = (g ⊕ p·g', p·p'), and the lowest block needs no p. 2 +
 * ⌈log₂(ℓ−1)⌉ rounds; ℓ + 3·(ℓ−1) + 3·(ℓ−2) bits, and 3·(ℓ−2−levels) more for p: 607 at ℓ = 64.
 */
export function* topBit(party: Party, x: ReplicatedShare): Steps<ReplicatedShare> {
  const low = x.components[0].width - 1;
  // x is the sum of a + b, which the client knows, and c, which server and dealer know.
  const u = yield* shareFromClient(party, bitsOf(replicatedToAdditive(party, x)));
  const v = shareFromThirdComponent(party, x, bitsOf);
  const sum = addReplicated(u, v);
  const top = withoutLast(sliceBits(sum, low, 1));
  if (low === 0) return top;
  let g = yield* multiplyReplicated(party, sliceBits(u, 0, low), sliceBits(v, 0, low), mul);
  /** For all positions except the lowest. */
  let p = low > 1 ? sliceBits(sum, 1, low - 1) : undefined;
  while (p) {
    const count = bitCount(g);
    const pairs = Math.floor(count / 2);
    const above = sliceBits(p, 0, pairs, 2);
    const carried = multiplyReplicated(party, above, sliceBits(g, 0, pairs, 2), mul);
    const passed =
      pairs > 1
        ? multiplyReplicated(party, sliceBits(above, 1, pairs - 1), sliceBits(p, 1, pairs - 1, 2), mul)
        : undefined;
    const [through, both] = passed ? yield* parallel(carried, passed) : [yield* carried, undefined];
    const joined = addReplicated(sliceBits(g, 1, pairs, 2), through);
    const odd = count % 2 === 1;
    g = odd ? concatBits(joined, sliceBits(g, count - 1, 1)) : joined;
    const left = odd ? [sliceBits(p, count - 2, 1)] : [];
    const all = both ? [both, ...left] : left;
    p = all.length > 0 ? concatBits(...all) : undefined;
  }
  return addReplicated(top, withoutLast(g));
}

/**
 * The bit x = 0: a + b, which the client knows, and −c, which server and dealer know, have the same bits. 1 + ⌈log₂ ℓ⌉
 * rounds, ℓ + 3·(ℓ−1) bits.
 */
export function* isZeroReplicated(party: Party, x: ReplicatedShare): Steps<ReplicatedShare> {
  const u = yield* shareFromClient(party, bitsOf(replicatedToAdditive(party, x)));
  const v = shareFromThirdComponent(party, x, (t) => bitsOf(neg(t)));
  let same = complementBit(party, addReplicated(u, v));
  while (bitCount(same) > 1) {
    const count = bitCount(same);
    const half = Math.floor(count / 2);
    const both = yield* multiplyReplicated(party, sliceBits(same, 0, half), sliceBits(same, half, half), mul);
    same = count % 2 === 1 ? concatBits(both, sliceBits(same, count - 1, 1)) : both;
  }
  return withoutLast(same);
}
