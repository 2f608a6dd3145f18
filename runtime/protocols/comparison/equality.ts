import type { MaskedValue, Party, Steps } from "../../core/index.ts";
import { combineDigits, narrow, type RingTensor, zeros } from "../../ring/index.ts";
import { maskAndOpen } from "../boundary/index.ts";
import { entryAt, mapMasked, sliceRows, stack } from "../kit/index.ts";
import {
  cheapestDigit,
  digitSizes,
  digitTableBits,
  guardedProducts,
  lookUpDigits,
  setProductBits,
  setProducts,
} from "./digits.ts";

/** Most bits of a zero test: six digits of five bits. */
const maxZeroTestBits = 30;

/** Reason why a difference whose masked value has this many bits cannot be tested for zero. */
export const zeroTestRefusal = (bits: number): string | undefined =>
  bits - 1 > maxZeroTestBits
    ? `its masked value needs a ring of ${bits} bits, tests for zero take at most ${maxZeroTestBits + 1}`
    : undefined;

/** Dealer bits of a zero test: Σ_d (2^k − 1) + 2^D − 1 − D for D digits of k bits. */
export function zeroTestBits(bits: number, k = zeroDigit(bits)): number {
  const others = digitSizes(bits, k).length - 1;
  return digitTableBits(bits, k) + setProductBits(others) + 2 ** others - 1;
}

/** Bits per digit for the least traffic (dealer and openings). */
export const zeroDigit = (bits: number): number =>
  cheapestDigit(bits, (n, k) => zeroTestBits(n, k) + 2 * digitSizes(n, k).length);

/**
 * XOR shares of 1{x = 0} from a masked value: x = 0 exactly if x̂ = r, digit by digit. Each party looks up its share of
 * "equal to r's digit" at the digit of x̂, which is public. The D bits are multiplied: they are opened under one-time
 * bits b_d, and Π (ê_d ⊕ b_d) is expanded over shares of the products of b_d. This costs half of two comparisons (ours:
 * docs/protocols/ordering.md). |x| < 2^(n−2): the n − 1 low bits decide. 1 round; online 2·D bits.
 */
export function* isZero(party: Party, x: MaskedValue): Steps<RingTensor> {
  const bits = x.opened.width - 1;
  const { equal } = lookUpDigits(party, narrow(x.opened, bits), narrow(x.mask.secret, bits), zeroDigit(bits));
  // Each of these bits gets a fresh uniform one-time bit: safe to open.
  const opened = yield* maskAndOpen(party, stack(equal));
  const first = mapMasked(opened, (t) => entryAt(t, 0));
  const others = mapMasked(opened, (t) => sliceRows(t, 1));

  // Only the lowest digit has its own term: the others are its condition.
  const without = setProducts(party, others.mask);
  const withFirst = guardedProducts(party, others.mask.secret, first.mask);
  const none = zeros(first.opened.shape, 1);
  const idle = equal.slice(1).map(() => none);
  return combineDigits(stack([first.opened, ...idle]), others.opened, without, [withFirst, ...idle]);
}
