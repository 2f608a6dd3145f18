import type { Mask, Party } from "../../core/index.ts";
import {
  add,
  bitAt,
  dropSingles,
  extractBits,
  filled,
  onesBelow,
  type RingTensor,
  type Shape,
  shiftLeft,
  subsetProducts,
  widen,
  withSingles,
} from "../../ring/index.ts";
import { entryAt, publicConstant } from "../kit/index.ts";

/** Most digits: the products of their one-time bits fill a lane. */
export const maxDigits = 6;
/** Widest digit: its table fills two lanes. */
export const maxDigitBits = 6;

/** Bits of the digits, lowest first: the fewest digits of at most k bits, as equal in size as possible. */
export function digitSizes(bits: number, k: number): number[] {
  const count = Math.ceil(bits / k);
  return Array.from({ length: count }, (_, d) => Math.floor((bits + count - 1 - d) / count));
}

/** Bits of the dealer's tables for such digits: 2^k − 1 each. */
export const digitTableBits = (bits: number, k: number): number =>
  digitSizes(bits, k).reduce((sum, size) => sum + 2 ** size - 1, 0);

/** The digit size with at most six digits for which `cost` is least; of equal costs the fewest digits. */
export const cheapestDigit = (bits: number, cost: (bits: number, k: number) => number): number =>
  [5, 4, 3, 2, 1]
    .filter((k) => Math.ceil(bits / k) <= maxDigits)
    .reduce((best, k) => (cost(bits, k) < cost(bits, best) ? k : best));

/** XOR shares, per digit, of "X's digit is below r's digit" and "is equal to it": [T, …shape] each. */
export interface DigitBits {
  readonly below: readonly RingTensor[];
  readonly equal: readonly RingTensor[];
}

/**
 * XOR shares of the truth table 1{v < r}, 2^k bits, of a digit r that the dealer knows: 2^k − 1 bits from the dealer,
 * since the last entry is 0.
 */
export function sharedTable(party: Party, r: RingTensor): RingTensor {
  const size = 2 ** r.width;
  return widen(party.dealtXor(extractBits(onesBelow(r), 0, size - 1)), size);
}

/**
 * Looks X's digits up in shared truth tables of r's digits. One table answers both questions: with L[v] = 1{v < r_d}
 * the equality 1{v = r_d} is L[v − 1] ⊕ L[v], where L[−1] = 1, and each party computes it from its own share. `opened`
 * [T, …shape] is public; only the dealer knows `secret` [...shape]. 0 rounds.
 */
export function lookUpDigits(party: Party, opened: RingTensor, secret: RingTensor, k: number): DigitBits {
  const one = publicOne(party, opened, secret.shape);
  let from = 0;
  const digits = digitSizes(secret.width, k).map((size) => {
    const x = extractBits(opened, from, size);
    const table = sharedTable(party, extractBits(secret, from, size));
    from += size;
    const below = bitAt(table, x);
    return { below, equal: add(below, bitAt(prependBit(one, table), x)) };
  });
  return { below: digits.map((d) => d.below), equal: digits.map((d) => d.equal) };
}

const publicOne = (party: Party, like: RingTensor, shape: Shape): RingTensor =>
  publicConstant(party, like, shape, 1, 1);

/** The bit, followed above by the word's bits without the highest. */
const prependBit = (bit: RingTensor, word: RingTensor): RingTensor => add(shiftLeft(word, 1), widen(bit, word.width));

/**
 * XOR shares of the products of every set of one-time bits b [count, …shape], in the layout of `subsetProducts`. The
 * product of no bits is the public 1, and those of one bit are the mask's own shares: the dealer sends 2^count − 1 −
 * count bits.
 */
export function setProducts(party: Party, b: Mask): RingTensor {
  const [count = 0, ...shape] = b.secret.shape;
  const dealt =
    count < 2 ? undefined : party.dealtXor(dropSingles(subsetProducts(b.secret, filled(b.secret, shape, 1, 1))));
  // The last bit is the lowest of a set.
  const singles = [...Array(count).keys()].reverse().map((j) => entryAt(b.share!, j));
  return withSingles(publicOne(party, b.share!, shape), singles, dealt);
}

/**
 * XOR shares of the one-time bit a times the products of every set of b [count, …shape]: the dealer sends 2^count − 1
 * bits; a itself is the mask's own share.
 */
export function guardedProducts(party: Party, b: RingTensor, a: Mask): RingTensor {
  const products = subsetProducts(b, a.secret);
  const { width } = products;
  if (width === 1) return a.share!;
  return prependBit(a.share!, widen(party.dealtXor(extractBits(products, 1, width - 1)), width));
}

/** Dealer bits of `setProducts` for `count` one-time bits. */
export const setProductBits = (count: number): number => 2 ** count - 1 - count;
