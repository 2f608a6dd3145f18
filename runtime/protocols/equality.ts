import type { Party, Wire } from "../party.ts";
import { combineDigits, oneAt, subsetProducts } from "../ring/digit-tables.ts";
import { add, addConstant, bitAt, concat, digit, mulConstant, narrow, reshape, widen } from "../ring/index.ts";
import { type RingTensor, zeros } from "../ring/tensor.ts";
import type { Steps } from "../steps.ts";
import { exchange } from "./open.ts";
import { publicShare, rows } from "./wires.ts";

/** Most bits that a test for zero takes: six digits of five. */
const widest = 30;

/** Why a difference whose wire has so many bits cannot be tested for zero. */
export const tooWideForZero = (bits: number): string | undefined =>
  bits - 1 > widest ? `its wire needs a ring of ${bits} bits, tests for zero take at most ${widest + 1}` : undefined;

/** Dealer bits of a test for zero: Σ_d 2^k + 2^D − 1 for D digits of k bits. */
export function zeroTestBits(bits: number, k = zeroDigit(bits)): number {
  const count = Math.ceil(bits / k);
  return [...Array(count).keys()].reduce((sum, d) => sum + 2 ** Math.min(k, bits - d * k), 2 ** count - 1);
}

/** Bits per digit for the least dealer traffic: at most 6 digits, whose products fill a lane. */
export function zeroDigit(bits: number): number {
  const candidates = [5, 4, 3, 2, 1].filter((k) => Math.ceil(bits / k) <= 6);
  return candidates.reduce((best, k) => (zeroTestBits(bits, k) < zeroTestBits(bits, best) ? k : best));
}

/**
 * XOR shares of 1{x = 0} from an open wire: x = 0 exactly if x̂ = r, digit by digit. The dealer shares for each digit of
 * r the table of "equal to it", each party looks its share up at the digit of x̂, which is public, and the D bits meet
 * in a product: opened under one-time bits b_d, Π (ê_d ⊕ b_d) is expanded over shares of the products of b_d. Half of
 * what two comparisons take (ours: docs/protocols/ordering.md). |x| < 2^(n−2): the n − 1 low bits decide.
 * 1 round; online 2·D bits.
 */
export function* isZero(party: Party, x: Wire): Steps<RingTensor> {
  const bits = x.opened.width - 1;
  const k = zeroDigit(bits);
  const places = [...Array(Math.ceil(bits / k)).keys()];
  const part = (t: RingTensor, d: number): RingTensor => digit(t, d * k, Math.min(k, bits - d * k));
  const [opened, secret] = [narrow(x.opened, bits), narrow(x.mask.secret, bits)];
  const equal = places.map((d) => bitAt(party.dealtWords(oneAt(part(secret, d))), part(opened, d)));

  // One-time bits, and the dealer's shares of their products: those without b_0, and those with it.
  const { shape } = opened;
  const b = party.dealerRandom([places.length, ...shape], 1);
  const first = reshape(rows(b, 0, 1), shape);
  const others = rows(b, 1);
  const one = addConstant(mulConstant(first, 0), 1);
  const constant = publicShare(party, addConstant(mulConstant(equal[0]!, 0), 1));
  const without =
    places.length === 1 ? constant : withConstant(party, party.dealtWords(dropConstant(subsetProducts(others, one))));
  const withFirst = party.dealtWords(subsetProducts(others, first));

  const own = places.map((d) =>
    // The product of the set {d} alone is b_d itself: bit 0 of those with b_0, bit 2^(D−1−d) of those without.
    d === 0 ? digit(withFirst, 0, 1) : digit(without, 2 ** (places.length - 1 - d), 1),
  );
  const mine = concat(
    places.map((d) => reshape(add(equal[d]!, own[d]!), [1, ...shape])),
    0,
  );
  // Each bit carries a one-time bit b_d of the dealer's: safe to open.
  const open = add(mine, yield* exchange(party, mine));
  // Only the lowest digit has a term of its own: the rest is what must hold beside it.
  const none = zeros(shape, 1);
  const less = places.map((d) => (d === 0 ? rows(open, 0, 1) : reshape(none, [1, ...shape])));
  return combineDigits(concat(less, 0), rows(open, 1), without, [withFirst, ...places.slice(1).map(() => none)]);
}

/** The empty set's product is the public 1: it need not be shared. */
const dropConstant = (words: RingTensor): RingTensor => digit(words, 1, words.width - 1);
const withConstant = (party: Party, words: RingTensor): RingTensor => {
  const raised = mulConstant(widen(words, words.width + 1), 2);
  return party.role === "client" ? raised : addConstant(raised, 1);
};
