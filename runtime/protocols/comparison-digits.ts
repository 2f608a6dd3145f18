import type { Party } from "../party.ts";
import { combineDigits, oneAt, onesBelow, subsetProducts } from "../ring/digit-tables.ts";
import { add, addConstant, bitAt, concat, digit, mulConstant, reshape, widen } from "../ring/index.ts";
import type { RingTensor } from "../ring/tensor.ts";
import type { Steps } from "../steps.ts";
import { exchange } from "./open.ts";
import { at, publicShare, rows } from "./wires.ts";

/**
 * Masked digit comparison (K-MDC, ours: docs/protocols/digit-comparison.md): XOR shares of 1{X < r} for a public X
 * and a mask r that the dealer knows. The dealer shares, for each digit of r, the truth tables of "below r's digit"
 * and "equal to r's digit"; each party looks its share up at X's digit, and one opening of 2D−1 masked bits ends it.
 * `opened` [T, …shape] holds T values of X per element: all thresholds share the tables.
 * 1 round; online 2·(2D−1) bits per X.
 */
export function* digitsBelowMask(
  party: Party,
  opened: RingTensor,
  secret: RingTensor,
  k = digitBits(secret.width),
): Steps<RingTensor> {
  const bits = secret.width;
  const count = Math.ceil(bits / k);
  const places = [...Array(count).keys()];
  const digits = places.map((d) => digit(secret, d * k, Math.min(k, bits - d * k)));
  const look = (table: (t: RingTensor) => RingTensor, d: number): RingTensor =>
    bitAt(party.dealtWords(table(digits[d]!)), digit(opened, d * k, Math.min(k, bits - d * k)));
  const less = places.map((d) => look(onesBelow, d));
  const equal = places.slice(1).map((d) => look(oneAt, d));

  // One-time bits for every opened bit, and the dealer's shares of their products.
  const a = party.dealerRandom([count, ...opened.shape], 1);
  const b = party.dealerRandom([count - 1, ...opened.shape], 1);
  const one = addConstant(mulConstant(less[0]!, 0), 1);
  const products =
    count === 1
      ? publicShare(party, one)
      : withConstant(party, party.dealtWords(dropConstant(subsetProducts(b, dealerOne(at(a, 0))))));
  const guarded = places.map((d) => party.dealtWords(subsetProducts(from(b, d), at(a, d))));

  const masked = [
    ...places.map((d) => add(less[d]!, bit(guarded[d]!, 0))),
    // The product of the set {j} alone is b_j itself, at word bit 2^(D−1−j).
    ...places.slice(1).map((d) => add(equal[d - 1]!, bit(products, 2 ** (count - 1 - d)))),
  ].map((t) => reshape(t, [1, ...opened.shape]));
  const mine = concat(masked, 0);
  // Each bit carries a one-time bit of the dealer's (a_d or b_d), fresh for this X: safe to open.
  const theirs = yield* exchange(party, mine);
  const open = add(mine, theirs);
  return combineDigits(rows(open, 0, count), rows(open, count, 2 * count - 1), products, guarded);
}

/** Most digits: the products of one-time bits fill a lane. */
const mostDigits = 6;
/** Widest digit: its tables fill two lanes. */
const widestDigit = 6;

/** Bits that digits of k bits compare; by default those for which `digitBits` finds a k. */
export const digitsWidest = (k = 5): number => mostDigits * Math.min(k, widestDigit);

/** Bits per digit that make the dealer's traffic least, the fewest digits of those; a table of 2^5 bits fills one lane. At most 6 digits. */
export function digitBits(bits: number): number {
  if (bits > digitsWidest()) throw new RangeError(`masked digit comparison takes at most 30 bits, got ${bits}`);
  const candidates = [5, 4, 3, 2].filter((k) => Math.ceil(bits / k) <= mostDigits);
  return candidates.reduce((best, k) => (tableBits(bits, k) < tableBits(bits, best) ? k : best));
}

/** Dealer bits of one comparison: Σ_d 2^k·(2−[d=0]) + (2^(D−1)−1) + (2^D−1) (protocols.md 8, CMP_MDC). */
export function tableBits(bits: number, k: number): number {
  const count = Math.ceil(bits / k);
  const tables = [...Array(count).keys()].map((d) => 2 ** Math.min(k, bits - d * k) * (d === 0 ? 1 : 2));
  return tables.reduce((sum, size) => sum + size, 0) + 2 ** (count - 1) - 1 + 2 ** count - 1;
}

/** Rows from `index` on. */
const from = (x: RingTensor, index: number): RingTensor => rows(x, index, x.shape[0]!);
const bit = (words: RingTensor, index: number): RingTensor => digit(words, index, 1);
/** The empty set's product is the public 1: it need not be shared. */
const dropConstant = (words: RingTensor): RingTensor => digit(words, 1, words.width - 1);
/** A 1 for each element, known where the dealer's randomness is. */
const dealerOne = (random: RingTensor): RingTensor => addConstant(mulConstant(random, 0), 1);
const withConstant = (party: Party, words: RingTensor): RingTensor => {
  const raised = mulConstant(widen(words, words.width + 1), 2);
  return party.role === "client" ? raised : addConstant(raised, 1);
};
