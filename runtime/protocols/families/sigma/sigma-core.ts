/**
 * Shared parts of SIGMA's protocols (Gupta, Jawalkar, Mukherjee, Chandran, Gupta, Panwar, Sharma, PoPETs 2024). Every
 * value is a masked value in one ring, comparisons and tables are keys of distributed point functions, and every result
 * is opened. The parties send what SIGMA's parties send, and the dealer deals what SIGMA's keys hold; we transport keys
 * by seeds.
 */
import { type MaskedValue, type Party, parallel, type Steps } from "../../../core/index.ts";
import {
  add,
  addConstant,
  fromIntegers,
  type IntTensor,
  mulConstant,
  narrow,
  neg,
  type RingTensor,
  reshape,
  selectedSums,
  shiftRight,
  sub,
  unitVector,
  widen,
} from "../../../ring/index.ts";
import { maskAndOpen } from "../../boundary/index.ts";
import { belowMask, type Comparison, dpfKey } from "../../comparison/index.ts";
import {
  addPowerOfTwo,
  bitToRing,
  entryAt,
  multiplyMasked,
  publicShare,
  scaleIntoRing,
  selectMasked,
  subPowerOfTwo,
} from "../../kit/index.ts";
import { truncateFaithfully } from "../../truncation/index.ts";

export const dpfComparison: Comparison = { method: "dpf" };

/** 1{X < r} for public X and a mask r, as an opened bit: 1 bit each way. 1 round. */
function* borrowBit(party: Party, opened: RingTensor, secret: RingTensor): Steps<MaskedValue> {
  const share = yield* belowMask(party, reshape(opened, [1, ...opened.shape]), secret, dpfComparison);
  // A fresh uniform bit masks this bit: safe to open.
  return yield* maskAndOpen(party, entryAt(share, 0));
}

/**
 * ⌊(x + 2^(s−1)) / 2^s⌋ or ⌊x / 2^s⌋ in the remaining ring, exactly, without slack (SIGMA's truncate-and-reduce): the
 * masked value's low s bits are compared with the mask's. 1 round.
 */
export function* truncateReduce(
  party: Party,
  x: MaskedValue,
  by: number,
  rounding: "nearest" | "down" = "nearest",
): Steps<RingTensor> {
  const left = x.opened.width - by;
  const rounded = rounding === "down" ? x.opened : addConstant(x.opened, 2 ** (by - 1));
  const borrow = yield* borrowBit(party, narrow(rounded, by), narrow(x.mask.secret, by));
  const quotient = publicShare(party, narrow(shiftRight(rounded, by), left));
  const mask = party.dealt(narrow(shiftRight(x.mask.secret, by), left));
  return sub(sub(quotient, mask), bitToRing(party, borrow, left));
}

/** The signed value of a masked value of m bits in a wider ring, exactly, without slack. 1 round. */
export function* signExtend(party: Party, x: MaskedValue, width: number): Steps<RingTensor> {
  const m = x.opened.width;
  const positive = addPowerOfTwo(x.opened, m - 1);
  const wrap = yield* borrowBit(party, positive, x.mask.secret);
  const value = sub(
    publicShare(party, subPowerOfTwo(widen(positive, width), m - 1)),
    party.dealt(widen(x.mask.secret, width)),
  );
  return add(value, scaleIntoRing(bitToRing(party, wrap, width - m), m, width));
}

/** SIGMA's TrFloor: truncate-and-reduce, opened in the remaining ring, and extended to the old ring. 3 rounds. */
export function* truncateFloor(party: Party, x: MaskedValue, by: number, width: number): Steps<RingTensor> {
  const reduced = yield* truncateReduce(party, x, by);
  return yield* signExtend(party, yield* maskAndOpen(party, reduced), width);
}

/**
 * table[x] for a masked value x of 7 to 16 bits (table entry j for the residue j), in a ring of `width` bits. Both
 * parties expand a key of the point r, and each sums the public table, rotated by the opened value, over its bits of
 * the unit vector. As integers these bits differ by ±1 at the point, and the dealer knows the sign: sign and sum are
 * opened, as in SIGMA, (1 + width) bits each way. 1 round.
 */
export function* lookUpTable(party: Party, x: MaskedValue, table: IntTensor, width: number): Steps<RingTensor> {
  const { root, corrections, atPoint } = dpfKey(party, x.mask.secret);
  const vector = party.offline(() => unitVector(root, corrections));
  const sum = selectedSums(vector, fromIntegers(table, width), x.opened);
  const share = party.role === "server" ? neg(sum) : sum;
  const own = party.dealtXor(atPoint);
  // The client's bit is 1 if the difference is +1: the sign is its complement.
  const sign = add(own, publicShare(party, addConstant(mulConstant(own, 0), 1)));
  const [negative, value] = yield* parallel(maskAndOpen(party, sign), maskAndOpen(party, share));
  return sub(share, mulConstant(selectMasked(party, negative, value, width, share), 2));
}

/**
 * x·y of two masked values, opened in a ring of `width` bits and truncated with slack by `by`: the traffic of SIGMA's
 * elementwise product.
 */
export function* scaledProduct(
  party: Party,
  x: MaskedValue,
  y: MaskedValue,
  by: number,
  width = x.opened.width,
): Steps<RingTensor> {
  const product = multiplyMasked(party, withShippedMask(party, x), withShippedMask(party, y), width);
  return yield* truncateWithSlack(party, yield* maskAndOpen(party, product), by);
}

/**
 * ⌊(x + 2^(s−1)) / 2^s⌋ in the masked value's own ring, exactly, given its slack (SIGMA's TrWithSlack). 1 round, 1 bit
 * each way.
 */
export function* truncateWithSlack(party: Party, x: MaskedValue, by: number): Steps<RingTensor> {
  return yield* truncateFaithfully(party, x, by, x.opened.width, dpfComparison);
}

/**
 * SIGMA's keys contain the shares of an operand's mask for every use. Seeds give them for free; we count them as SIGMA
 * does.
 */
export const withShippedMask = (party: Party, x: MaskedValue): MaskedValue => ({
  ...x,
  mask: { ...x.mask, share: party.dealt(x.mask.secret), fresh: false },
});
