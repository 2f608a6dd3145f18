import type { Party, Wire } from "../party.ts";
import { combineDigits, oneAt, onesBelow, subsetProducts } from "../ring/digit-tables.ts";
import {
  add,
  addConstant,
  bitAt,
  concat,
  digit,
  msb,
  mulConstant,
  narrow,
  reshape,
  slice,
  widen,
} from "../ring/index.ts";
import type { RingTensor } from "../ring/tensor.ts";
import type { Steps } from "../steps.ts";
import { exchange } from "./open.ts";
import { publicShare } from "./wires.ts";

/**
 * Masked digit comparison (K-MDC, ours: docs/protocols/digit-comparison.md): XOR shares of 1{X < r} for a public X
 * and a mask r that the dealer knows. The dealer shares, for each digit of r, the truth tables of "below r's digit"
 * and "equal to r's digit"; each party looks its share up at X's digit, and one opening of 2D−1 masked bits ends it.
 * `opened` [T, …shape] holds T values of X per element: all thresholds share the tables.
 * 1 round; online 2·(2D−1) bits per X.
 */
export function* belowMask(
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

/** Widest wire whose low bits a comparison takes. */
const widestWire = 31;

/** Why a wire of so many bits cannot be compared, for `refuses`. */
export const tooWide = (bits: number): string | undefined =>
  bits > widestWire ? `its wire needs a ring of ${bits} bits, comparisons take at most ${widestWire}` : undefined;

/** Bits per digit that make the dealer's traffic least, the fewest digits of those; a table of 2^5 bits fills one lane. At most 6 digits. */
export function digitBits(bits: number): number {
  if (bits > widestWire - 1) throw new RangeError(`masked digit comparison takes at most 30 bits, got ${bits}`);
  const candidates = [5, 4, 3, 2].filter((k) => Math.ceil(bits / k) <= 6);
  return candidates.reduce((best, k) => (tableBits(bits, k) < tableBits(bits, best) ? k : best));
}

/** Dealer bits of one comparison: Σ_d 2^k·(2−[d=0]) + (2^(D−1)−1) + (2^D−1) (protocols.md 8, CMP_MDC). */
export function tableBits(bits: number, k: number): number {
  const count = Math.ceil(bits / k);
  const tables = [...Array(count).keys()].map((d) => 2 ** Math.min(k, bits - d * k) * (d === 0 ? 1 : 2));
  return tables.reduce((sum, size) => sum + size, 0) + 2 ** (count - 1) - 1 + 2 ** count - 1;
}

/**
 * XOR shares of 1{x < t} for each public threshold t (raw integers), [T, …shape], from an open wire with |x − t| in
 * the signed range: msb(x − t) = msb(x̂ − t) ⊕ msb(r) ⊕ 1{low bits of x̂ − t < low bits of r}. 1 round.
 */
export function* below(party: Party, x: Wire, thresholds: readonly number[]): Steps<RingTensor> {
  const n = x.opened.width;
  const shape = x.opened.shape;
  const shifted = concat(
    thresholds.map((t) => reshape(addConstant(x.opened, -t), [1, ...shape])),
    0,
  );
  const top = party.dealt(msb(x.mask.secret));
  const borrow = yield* belowMask(party, narrow(shifted, n - 1), narrow(x.mask.secret, n - 1));
  return add(add(publicShare(party, msb(shifted)), top), borrow);
}

/** Element `index` of the first axis. */
export const at = (x: RingTensor, index: number): RingTensor => reshape(rows(x, index, index + 1), x.shape.slice(1));
/** Rows from `index` on. */
const from = (x: RingTensor, index: number): RingTensor => rows(x, index, x.shape[0]!);
const rows = (x: RingTensor, start: number, end: number): RingTensor =>
  slice(
    x,
    [start, ...x.shape.slice(1).map(() => 0)],
    [end, ...x.shape.slice(1)],
    x.shape.map(() => 1),
  );

const bit = (words: RingTensor, index: number): RingTensor => digit(words, index, 1);
/** The empty set's product is the public 1: it need not be shared. */
const dropConstant = (words: RingTensor): RingTensor => digit(words, 1, words.width - 1);
/** A 1 for each element, known where the dealer's randomness is. */
const dealerOne = (random: RingTensor): RingTensor => addConstant(mulConstant(random, 0), 1);
const withConstant = (party: Party, words: RingTensor): RingTensor => {
  const raised = mulConstant(widen(words, words.width + 1), 2);
  return party.role === "client" ? raised : addConstant(raised, 1);
};
