import type { Party, Steps } from "../../core/index.ts";
import { combineDigits, type RingTensor } from "../../ring/index.ts";
import { maskAndOpen } from "../boundary/index.ts";
import { entryAt, mapMasked, sliceRows, stack } from "../kit/index.ts";
import {
  cheapestDigit,
  digitSizes,
  digitTableBits,
  guardedProducts,
  lookUpDigits,
  maxDigitBits,
  maxDigits,
  setProductBits,
  setProducts,
} from "./digits.ts";

/**
 * Masked digit comparison (K-MDC, ours: docs/protocols/digit-comparison.md): XOR shares of 1{X < r} for a public X and
 * a mask r that the dealer knows. For each digit of r the dealer shares the truth table of "below r's digit". Each
 * party looks up its share at X's digit, and one opening of 2D−1 bits completes the comparison: r's digit is above X's,
 * and equal to it. `opened` [T, …shape] holds T values of X per element: all thresholds share the tables. 1 round;
 * online 2·(2D−1) bits per X.
 */
export function* digitsBelowMask(
  party: Party,
  opened: RingTensor,
  secret: RingTensor,
  k = digitBits(secret.width),
): Steps<RingTensor> {
  const { below, equal } = lookUpDigits(party, opened, secret, k);
  const count = below.length;
  // Each of these bits gets a fresh uniform one-time bit: safe to open.
  const bits = yield* maskAndOpen(party, stack([...below, ...equal.slice(1)]));
  const less = mapMasked(bits, (t) => sliceRows(t, 0, count));
  const same = mapMasked(bits, (t) => sliceRows(t, count));

  // l = l̂ ⊕ a and e = ê ⊕ b: the product of l_d and the e_j above it expands over products of one-time bits.
  const products = setProducts(party, same.mask);
  const guarded = [...Array(count).keys()].map((d) =>
    guardedProducts(party, sliceRows(same.mask.secret, d), mapMasked(less, (t) => entryAt(t, d)).mask),
  );
  return combineDigits(less.opened, same.opened, products, guarded);
}

/** Most bits that digits of k bits compare; by default the most for which `digitBits` finds a k. */
export const maxDigitComparisonBits = (k = 5): number => maxDigits * Math.min(k, maxDigitBits);

/** Bits per digit for the least traffic (dealer and openings); of equal costs the fewest digits. At most 6 digits. */
export function digitBits(bits: number): number {
  if (bits > maxDigitComparisonBits())
    throw new RangeError(`masked digit comparison takes at most 30 bits, got ${bits}`);
  return cheapestDigit(bits, (n, k) => digitComparisonBits(n, k) + 2 * (2 * digitSizes(n, k).length - 1));
}

/** Dealer bits of one comparison: Σ_d (2^k − 1) for the tables, plus those of one threshold. */
export const digitComparisonBits = (bits: number, k: number): number =>
  digitTableBits(bits, k) + thresholdBits(bits, k);

/** Dealer bits of a threshold: the products of its one-time bits, 1.5·2^D − 1 − 2D. */
export function thresholdBits(bits: number, k: number): number {
  const count = digitSizes(bits, k).length;
  return 2 ** count - 1 - count + setProductBits(count - 1);
}
