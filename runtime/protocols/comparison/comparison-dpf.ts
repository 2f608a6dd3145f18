import type { Party, Steps } from "../../core/index.ts";
import {
  bitAt,
  type GgmCorrections,
  type GgmRoot,
  generateCorrections,
  isBelowPoint,
  leafBits,
  metaTensor,
  type RingTensor,
  zeros,
} from "../../ring/index.ts";
import { sharedTable } from "./digits.ts";

/**
 * This party's key of a distributed point function at the dealer's secret; meta tensors at the dealer and in a cost
 * run.
 */
export interface DpfKey {
  readonly root: GgmRoot;
  readonly corrections: GgmCorrections;
  /** The client's bit of the vector at the point; only the dealer knows it. */
  readonly atPoint: RingTensor;
}

/**
 * Keys for points of n ≥ 7 bits. Each party shares root seeds with the dealer at no cost; the dealer broadcasts the
 * corrections: (n − 7)·130 + 128 bits to each party.
 */
export function dpfKey(party: Party, point: RingTensor): DpfKey {
  const seeds = [...point.shape, 2];
  const client = party.clientMask(seeds, 64);
  const server = party.serverMask(seeds, 64);
  const grown = generateCorrections(client, server, point);
  // Given one root, corrections are pseudorandom whatever the point (Boyle, Gilboa, Ishai 2016, theorem 3.3).
  const blocks = party.broadcast(grown.blocks);
  const { shape } = grown.controls;
  const controls = point.width === leafBits ? zeros(shape, 2) : party.broadcast(grown.controls);
  const own = { client, server, dealer: metaTensor(seeds, 64) }[party.role];
  const root: GgmRoot = { seeds: own, control: party.role === "client" ? 0 : 1 };
  return { root, corrections: { blocks, controls }, atPoint: grown.atPoint };
}

/**
 * Comparison by a distributed point function (K-DPF after SIGMA, Gupta et al., PoPETs 2024;
 * docs/protocols/dpf-comparison.md): XOR shares of 1{X < r} for public X [T, …shape] and a mask r that the dealer
 * knows. All thresholds share a key. Up to 6 bits the dealer shares the truth table instead. 0 rounds, nothing is
 * opened.
 */
export function* dpfBelowMask(party: Party, opened: RingTensor, secret: RingTensor): Steps<RingTensor> {
  if (secret.width < leafBits) return bitAt(sharedTable(party, secret), opened);
  const { root, corrections } = dpfKey(party, secret);
  return isBelowPoint(root, corrections, opened);
}
