import type { Party, Replicated } from "../../../core/index.ts";
import { parallel, type Steps } from "../../../core/index.ts";
import type { RingTensor } from "../../../ring/index.ts";
import { concat, digit, mul, neg, reshape, slice } from "../../../ring/index.ts";
import { addParts, fromClient, fromThird, mapParts, not, product, toTwo, zipParts } from "./replicated.ts";

/** All bits of every residue along a new last axis, the lowest first. */
function bitsOf(x: RingTensor): RingTensor {
  const places = Array.from({ length: x.width }, (_, k) => reshape(digit(x, k, 1), [...x.shape, 1]));
  return concat(places, x.shape.length);
}

/** Every `step`-th bit of the last axis from `from`, `count` of them. */
const pick = (x: Replicated, from: number, count: number, step = 1): Replicated =>
  mapParts(x, (t) => {
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

const join = (...parts: readonly Replicated[]): Replicated =>
  zipParts(parts, (...t) => concat(t, t[0]!.shape.length - 1));

const bitsIn = (x: Replicated): number => x.parts[0].shape.at(-1)!;
const withoutLast = (x: Replicated): Replicated => mapParts(x, (t) => reshape(t, t.shape.slice(0, -1)));

/**
 * The top bit, the sign of x (ABY3, section 5.3: conversion to bits by adding, of which only the carry into the top is
 * computed). Carries meet in a tree: (g, p)∘(g', p') = (g ⊕ p·g', p·p'), and the lowest block needs no p.
 * 2 + ⌈log₂(ℓ−1)⌉ rounds; ℓ + 3·(ℓ−1) + 3·(ℓ−2) bits and 3·(ℓ−2−levels) more for p: 607 at ℓ = 64.
 */
export function* topBit(party: Party, x: Replicated): Steps<Replicated> {
  const low = x.parts[0].width - 1;
  // x is the sum of a + b, which the client knows, and c, which server and dealer know.
  const u = yield* fromClient(party, bitsOf(toTwo(party, x)));
  const v = fromThird(party, x, bitsOf);
  const sum = addParts(u, v);
  const top = withoutLast(pick(sum, low, 1));
  if (low === 0) return top;
  let g = yield* product(party, pick(u, 0, low), pick(v, 0, low), mul);
  /** Of all places but the lowest. */
  let p = low > 1 ? pick(sum, 1, low - 1) : undefined;
  while (p) {
    const count = bitsIn(g);
    const pairs = Math.floor(count / 2);
    const above = pick(p, 0, pairs, 2);
    const carried = product(party, above, pick(g, 0, pairs, 2), mul);
    const passed = pairs > 1 ? product(party, pick(above, 1, pairs - 1), pick(p, 1, pairs - 1, 2), mul) : undefined;
    const [through, both] = passed ? yield* parallel(carried, passed) : [yield* carried, undefined];
    const joined = addParts(pick(g, 1, pairs, 2), through);
    const odd = count % 2 === 1;
    g = odd ? join(joined, pick(g, count - 1, 1)) : joined;
    const left = odd ? [pick(p, count - 2, 1)] : [];
    const all = both ? [both, ...left] : left;
    p = all.length > 0 ? join(...all) : undefined;
  }
  return addParts(top, withoutLast(g));
}

/**
 * Whether x is 0: a + b, which the client knows, and −c, which server and dealer know, have the same bits.
 * 1 + ⌈log₂ ℓ⌉ rounds, ℓ + 3·(ℓ−1) bits.
 */
export function* isZero(party: Party, x: Replicated): Steps<Replicated> {
  const u = yield* fromClient(party, bitsOf(toTwo(party, x)));
  const v = fromThird(party, x, (t) => bitsOf(neg(t)));
  let same = not(party, addParts(u, v));
  while (bitsIn(same) > 1) {
    const count = bitsIn(same);
    const half = Math.floor(count / 2);
    const both = yield* product(party, pick(same, 0, half), pick(same, half, half), mul);
    same = count % 2 === 1 ? join(both, pick(same, count - 1, 1)) : both;
  }
  return withoutLast(same);
}
