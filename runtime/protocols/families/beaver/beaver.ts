/**
 * Products as CrypTen has them (LIN-BVR, protocols.md 8): shares in one ring, a fresh triple for every use, and every
 * operand opened at every use, a weight too. A baseline to compare with, kept as its authors built it.
 */
import type { MaskedValue, Party } from "../../../core/index.ts";
import { parallel, type Steps } from "../../../core/index.ts";
import { fromIntegers, metaTensor, type RingTensor, shiftLeft, zeros } from "../../../ring/index.ts";
import { maskAndOpen } from "../../boundary/index.ts";
import type { Operand } from "../../kit/index.ts";
import { multiplyMasked } from "../../kit/index.ts";
import { shiftOwnShare } from "../../truncation/index.ts";

/** This party's additive share of an operand: of the server's weight, all is the server's and nothing the client's. */
export function additiveShareOf(party: Party, operand: Operand, width: number): RingTensor {
  if (operand.kind === "share") return operand.tensor;
  if (operand.kind !== "weight") throw new TypeError(`wanted a share or a weight, got a ${operand.kind}`);
  if (party.role === "server") return fromIntegers(operand.values, width);
  return party.role === "client" ? zeros(operand.shape, width) : metaTensor(operand.shape, width);
}

/** Both operands opened, each under a mask of its own, in one round. */
export const openBoth = (party: Party, x: RingTensor, y: RingTensor): Steps<[MaskedValue, MaskedValue]> =>
  parallel<[MaskedValue, MaskedValue]>(maskAndOpen(party.at("x"), x), maskAndOpen(party.at("y"), y));

/** x·y, elementwise and broadcast, in the ring of the operands: 1 round, 2ℓ bits for each element of x and of y. */
export function* beaverProduct(party: Party, x: RingTensor, y: RingTensor): Steps<RingTensor> {
  const [a, b] = yield* openBoth(party, x, y);
  return multiplyMasked(party, a, b, x.width);
}

/** With `by` fractional bits fewer in the ring that the share has, as `same-ring.truncate` does it; with more where `by` is negative. */
export const truncateShare = (party: Party, x: RingTensor, by: number): RingTensor =>
  by > 0 ? shiftOwnShare(party, x, by) : shiftLeft(x, -by);
