import type { Party, ReplicatedShare, Steps } from "../../../core/index.ts";
import {
  add,
  addConstant,
  msb,
  mulConstant,
  narrow,
  neg,
  type RingTensor,
  shiftLeft,
  shiftRight,
  sub,
  widen,
  widenSigned,
  zeros,
} from "../../../ring/index.ts";
import { exchangeTensors } from "../../boundary/index.ts";
import { gateByBit, publicShare, scaleIntoRing } from "../../kit/index.ts";
import {
  additiveToReplicated,
  addReplicated,
  mapComponents,
  replicatedToAdditive,
  shareFromClient,
  shareFromThirdComponent,
} from "./replicated-sharing.ts";

/** 2^exponent as a scalar: kernels take constants up to 2^53 only. */
const powerOfTwoScalar = (width: number, exponent: number): RingTensor =>
  shiftLeft(addConstant(zeros([], width), 1), exponent);

/**
 * x with `by` fractional bits fewer in the same ring, for |x| < 2^(ℓ−2) (trunc_pr of Dalskov, Escudero, Keller, PoPETs
 * 2020, section 5, as used by SPU and PUMA). The dealer knows r; client and server open x̃ + r with x̃ = x + 2^(ℓ−2):
 *     x̃ ≫ s ≈ (ĉ mod 2^(ℓ−1) ≫ s) − (r mod 2^(ℓ−1) ≫ s) + 2^(ℓ−1−s)·(msb ĉ ⊕ msb r).
 * The result is the floor, or one more with the probability of the fraction: unbiased, and without other errors. 2
 * rounds, 4ℓ bits; the dealer sends ℓ + s + 1 bits before (protocols.md 3.1 has 8ℓ in all: there r is sent, here seeds
 * give it). For `by` < 0 it adds fractional bits locally.
 */
export function* truncateReplicated(party: Party, x: ReplicatedShare, by: number): Steps<ReplicatedShare> {
  if (by <= 0) return mapComponents(x, (t) => shiftLeft(t, -by));
  const two = replicatedToAdditive(party, x);
  const { shape, width } = two;
  const r = party.mask(shape, width);
  const raised = party.role === "client" ? add(two, powerOfTwoScalar(width, width - 2)) : two;
  const mine = add(raised, r.share);
  // x̃ + r is uniform: r is fresh and only the dealer knows it, and the dealer receives nothing. Safe to open.
  const opened = add(mine, yield* exchangeTensors(party, mine));
  const shifted = (t: RingTensor): RingTensor => widen(shiftRight(narrow(t, width - 1), by), width);
  const bit = (t: RingTensor): RingTensor => widen(msb(t), by + 1);
  // The wrap: 2^(ℓ−1−s) times a bit, of which the lowest s + 1 bits of the ring matter.
  const masked = party.dealt(bit(r.secret));
  const wrap = add(publicShare(party, bit(opened)), sub(masked, mulConstant(gateByBit(msb(opened), masked), 2)));
  const low = sub(
    publicShare(party, sub(shifted(opened), powerOfTwoScalar(width, width - 2 - by))),
    party.dealt(shifted(r.secret)),
  );
  return yield* additiveToReplicated(party, add(low, scaleIntoRing(wrap, width - 1 - by, width)));
}

/**
 * The same by local shifts: the client shifts a + b, server and dealer shift c (ABY3, Mohassel, Rindal, CCS 2018,
 * section 5.1.1, Π_trunc1). 1 round, ℓ bits; off by 2^(ℓ−s) with probability |x| / 2^ℓ, if a + b and c straddle the end
 * of the ring.
 */
export function* truncateReplicatedLocally(party: Party, x: ReplicatedShare, by: number): Steps<ReplicatedShare> {
  const shifted = (t: RingTensor): RingTensor => widenSigned(shiftRight(t, by), t.width);
  const client = yield* shareFromClient(party, shifted(replicatedToAdditive(party, x)));
  return addReplicated(
    client,
    shareFromThirdComponent(party, x, (t) => neg(shifted(neg(t)))),
  );
}
