import type { Party, Wire } from "../../core/index.ts";
import { parallel, type Steps } from "../../core/index.ts";
import type { RingTensor } from "../../ring/index.ts";
import { add, addConstant, fromIntegers, mulConstant, narrow } from "../../ring/index.ts";
import { openWire } from "../boundary/index.ts";
import type { Fixed, Operand, Spec } from "../kit/index.ts";
import { publicShare, select, signedBits, wireWidth } from "../kit/index.ts";

/** What protocols about truth values share: a truth value is a bit, held as XOR shares (the ring of width 1). */

/** ¬b. Free. */
export const negated = (party: Party, b: RingTensor): RingTensor =>
  add(b, publicShare(party, addConstant(mulConstant(b, 0), 1)));

/** Shares in the ring of `width` bits: cut from a wider ring, or public integers as the server's whole share. */
export function sideOf(party: Party, operand: Operand, width: number): RingTensor {
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
export const differenceWidth = ({ operands: [x, y] }: Spec): number => wireWidth(differenceOf(x!, y!));

/** Bits that hold every value of it, at least `width`. */
export const atLeast = (width: number, { lo, hi, scale }: Fixed): number => Math.max(width, signedBits(lo, hi, scale));

/** Why values at different scales cannot meet: 4-quantize brings them to one. */
export const unequalScales = (...all: readonly Fixed[]): string | undefined =>
  all.every(({ scale }) => scale === all[0]!.scale) ? undefined : "its values have different fractional bits";

/** c·d as shares in a ring of `width` bits, from the shares of both, which are opened. 1 round. */
export function* chosen(party: Party, c: RingTensor, d: RingTensor, width: number): Steps<RingTensor> {
  const [bit, wire] = yield* parallel(openWire(party, c), openWire(party, d));
  return select(party, bit, wire as Wire, width);
}
