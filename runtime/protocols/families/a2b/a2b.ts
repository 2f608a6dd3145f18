/**
 * CrypTen's comparison (K-CRYPTEN, protocols.md 1.3): each party's additive share becomes an XOR-shared word, a prefix
 * adder sums the two words, and the top bit of the sum is the sign. Words are tensors [64, …shape] of single bits,
 * lowest first. A product of words opens all 64 bits of each word, needed or not, as CrypTen's code does.
 */
import type { MaskedValue, Party, Steps } from "../../../core/index.ts";
import {
  add,
  concat,
  extractBits,
  gather,
  mul,
  type RingTensor,
  reshape,
  ringTensor,
  type Shape,
  zeros,
} from "../../../ring/index.ts";
import { maskAndOpen } from "../../boundary/index.ts";
import { bitToRing, entryAt, mapMasked } from "../../kit/index.ts";
import { beaverProduct } from "../beaver/index.ts";

/** Bits of CrypTen's words. */
export const wordBits = 64;
const treeLevels = 6;
const bitIndices = [...Array(wordBits).keys()];

const bitsOf = (x: RingTensor): RingTensor =>
  concat(
    bitIndices.map((bit) => reshape(extractBits(x, bit, 1), [1, ...x.shape])),
    0,
  );
const zeroBits = (x: RingTensor): RingTensor => zeros([wordBits, ...x.shape], 1);

/** The word with the selected bits, zero in the others; the selection of bit positions is public. */
function selectBits(word: RingTensor, isSelected: (index: number) => boolean): RingTensor {
  const bits = ringTensor(
    [wordBits],
    1,
    Uint32Array.from(bitIndices, (index) => Number(isSelected(index))),
  );
  return mul(reshape(bits, [wordBits, ...word.shape.slice(1).map(() => 1)]), word);
}

/** For each position the bit of the lower half of its block of 2^level: the last bit of that half. */
const lowerSibling = (word: RingTensor, level: number): RingTensor =>
  gather(
    word,
    bitIndices.map((bit) => Math.max(0, ((bit >> level) << level) - 1)),
    [wordBits],
    0,
  );

/** XOR shares of the sign bit of an additively shared 64-bit word: 7 rounds, 2560 bits; the dealer sends 832. */
export function* signBit(party: Party, x: RingTensor): Steps<RingTensor> {
  const mine = bitsOf(x);
  const client = party.role === "server" ? zeroBits(x) : mine;
  const server = party.role === "client" ? zeroBits(x) : mine;
  // Carries that a position generates, and whether it propagates one: each party's own bits give the propagate word.
  let generate = yield* beaverProduct(party.at("carries"), client, server);
  let propagate = mine;
  for (let level = 0; level < treeLevels; level++) {
    const upper = (bit: number): boolean => ((bit >> level) & 1) === 1;
    const left = selectBits(propagate, upper);
    const right = concat(
      [generate, propagate].map((word) => reshape(selectBits(lowerSibling(word, level), upper), [1, ...word.shape])),
      0,
    );
    const both = yield* beaverProduct(party.at(`level ${level}`), left, right);
    generate = add(generate, entryAt(both, 0));
    propagate = add(
      selectBits(propagate, (bit) => !upper(bit)),
      entryAt(both, 1),
    );
  }
  return add(entryAt(mine, wordBits - 1), entryAt(generate, wordBits - 2));
}

/**
 * The XOR-shared bit as an additive share in a ring of `width` bits. CrypTen masks and opens the whole word although 63
 * of its bits are zero: 1 round, 128 bits; the dealer sends the mask's lowest bit in the wider ring.
 */
export function* bitToArithmetic(party: Party, bit: RingTensor, width: number): Steps<RingTensor> {
  const shape: Shape = [1, ...bit.shape];
  const none = zeros([wordBits - 1, ...bit.shape], 1);
  // A separate uniform bit masks every bit of the word: safe to open.
  const word = yield* maskAndOpen(party, concat([reshape(bit, shape), none], 0));
  const lowest: MaskedValue = mapMasked(word, (t) => entryAt(t, 0));
  return bitToRing(party, lowest, width);
}
