/**
 * Products as in CrypTen (LIN-BVR, protocols.md 8): shares in one ring, a fresh triple for every use, and every
 * operand, a weight included, opened at every use. A baseline for comparison, built as its authors built it.
 */
import { type MaskedValue, type Party, parallel, type Steps } from "../../../core/index.ts";
import { fromIntegers, metaTensor, type RingTensor, shiftLeft, zeros } from "../../../ring/index.ts";
import { maskAndOpen } from "../../boundary/index.ts";
import { multiplyMasked, type Operand } from "../../kit/index.ts";
import { shiftOwnShare } from "../../truncation/index.ts";

/**
 * This party's additive share of an operand: the server's share of a private weight is the weight, the client's is
 * zero.
 */
export function additiveShareOf(party: Party, operand: Operand, width: number): RingTensor {
  if (operand.kind === "share") return operand.tensor;
  if (operand.kind !== "weight") {
    throw new TypeError(`internal error: expected a share or a weight, got a ${operand.kind}`);
  }
  if (party.role === "server") return fromIntegers(operand.values, width);
  return party.role === "client" ? zeros(operand.shape, width) : metaTensor(operand.shape, width);
}

/** Opens both operands, each under a separate mask, in one round. */
export const openBoth = (party: Party, x: RingTensor, y: RingTensor): Steps<[MaskedValue, MaskedValue]> =>
  parallel<[MaskedValue, MaskedValue]>(maskAndOpen(party.at("x"), x), maskAndOpen(party.at("y"), y));

/** x·y, elementwise and broadcast, in the ring of the operands: 1 round, 2ℓ bits for each element of x and of y. */
export function* beaverProduct(party: Party, x: RingTensor, y: RingTensor): Steps<RingTensor> {
  const [a, b] = yield* openBoth(party, x, y);
  return multiplyMasked(party, a, b, x.width);
}

/**
 * Removes `by` fractional bits in the share's own ring, as `same-ring.truncate` does; adds fractional bits if `by` is
 * negative.
 */
export const truncateShare = (party: Party, x: RingTensor, by: number): RingTensor =>
  by > 0 ? shiftOwnShare(party, x, by) : shiftLeft(x, -by);
