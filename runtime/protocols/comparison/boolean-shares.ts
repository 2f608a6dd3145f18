import type { MaskedValue, Party } from "../../core/index.ts";
import { parallel, type Steps } from "../../core/index.ts";
import type { RingTensor } from "../../ring/index.ts";
import { add, addConstant, fromIntegers, mulConstant, narrow } from "../../ring/index.ts";
import { maskAndOpen } from "../boundary/index.ts";
import type { Fixed, Operand, Spec } from "../kit/index.ts";
import { maskedWidth, publicShare, selectMasked, signedBits } from "../kit/index.ts";

/** What protocols about truth values share: a truth value is a bit, held as XOR shares (the ring of width 1). */

/** ¬b. Free. */
export const negateBit = (party: Party, b: RingTensor): RingTensor =>
  add(b, publicShare(party, addConstant(mulConstant(b, 0), 1)));

/** Shares in the ring of `width` bits: cut from a wider ring, or public integers as the server's whole share. */
export function operandShare(party: Party, operand: Operand, width: number): RingTensor {
  if (operand.kind === "int") return publicShare(party, fromIntegers(operand, width));
  if (operand.kind !== "share") throw new TypeError(`wanted shares or public integers, got a ${operand.kind}`);
  return narrow(operand.tensor, width);
}

/** What is known of x − y. */
export const differenceOf = (x: Fixed, y: Fixed): Fixed => ({
  shape: x.shape,
  width: 0,
  scale: Math.max(x.scale, y.scale),
  lo: x.lo - y.hi,
  hi: x.hi - y.lo,
});

/** Ring in which x − y is opened and compared. */
export const differenceWidth = ({ operands: [x, y] }: Spec): number => maskedWidth(differenceOf(x!, y!));

/** Bits that hold every value of it, at least `width`. */
export const widthHolding = (width: number, { lo, hi, scale }: Fixed): number =>
  Math.max(width, signedBits(lo, hi, scale));

/** Why values at different scales cannot meet: 4-quantize brings them to one. */
export const scaleMismatch = (...all: readonly Fixed[]): string | undefined =>
  all.every(({ scale }) => scale === all[0]!.scale) ? undefined : "its values have different fractional bits";

/** c·d as shares in a ring of `width` bits, from the shares of both, which are opened. 1 round. */
export function* multiplyByOpenedBit(party: Party, c: RingTensor, d: RingTensor, width: number): Steps<RingTensor> {
  const [bit, masked] = yield* parallel(maskAndOpen(party, c), maskAndOpen(party, d));
  return selectMasked(party, bit, masked as MaskedValue, width);
}
