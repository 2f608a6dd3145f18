import { type MaskedValue, type Party, parallel, type Steps } from "../../core/index.ts";
import { add, addConstant, fromIntegers, mulConstant, narrow, type RingTensor } from "../../ring/index.ts";
import { maskAndOpen } from "../boundary/index.ts";
import {
  type Fixed,
  maskedWidth,
  type Operand,
  publicShare,
  type Spec,
  selectMasked,
  signedBits,
} from "../kit/index.ts";

/** Shared parts of protocols on Booleans. A Boolean is a bit, held as XOR shares (the ring of width 1). */

/** ¬b. Free. */
export const negateBit = (party: Party, b: RingTensor): RingTensor =>
  add(b, publicShare(party, addConstant(mulConstant(b, 0), 1)));

/** Shares in the ring of `width` bits: narrowed from a wider ring, or public integers as the server's whole share. */
export function operandShare(party: Party, operand: Operand, width: number): RingTensor {
  if (operand.kind === "int") return publicShare(party, fromIntegers(operand, width));
  if (operand.kind !== "share") {
    throw new TypeError(`internal error: expected shares or public integers, got a ${operand.kind}`);
  }
  return narrow(operand.tensor, width);
}

/** Scale and bounds of x − y. */
export const differenceOf = (x: Fixed, y: Fixed): Fixed => ({
  shape: x.shape,
  width: 0,
  scale: Math.max(x.scale, y.scale),
  lo: x.lo - y.hi,
  hi: x.hi - y.lo,
});

/** Ring in which x − y is masked and compared. */
export const differenceWidth = ({ operands: [x, y] }: Spec): number => maskedWidth(differenceOf(x!, y!));

/** The number of bits that holds all values of an operand, at least `width`. */
export const widthHolding = (width: number, { lo, hi, scale }: Fixed): number =>
  Math.max(width, signedBits(lo, hi, scale));

/** Reason why operands of different scales cannot be compared: 4-quantize gives them one scale. */
export const scaleMismatch = (...all: readonly Fixed[]): string | undefined =>
  all.every(({ scale }) => scale === all[0]!.scale) ? undefined : "its values have different fractional bits";

/** c·d as shares in a ring of `width` bits, from shares of both; opens both. 1 round. */
export function* multiplyByOpenedBit(party: Party, c: RingTensor, d: RingTensor, width: number): Steps<RingTensor> {
  const [bit, masked] = yield* parallel(maskAndOpen(party, c), maskAndOpen(party, d));
  return selectMasked(party, bit, masked as MaskedValue, width);
}
