import type { Party, Steps } from "../../core/index.ts";
import {
  bitAt,
  type Corrections,
  ghost,
  growCorrections,
  leafBits,
  pointAbove,
  type RingTensor,
  type Root,
  zeros,
} from "../../ring/index.ts";
import { sharedTable } from "./digits.ts";

/** This party's key of a distributed point function at the dealer's secret; at the dealer, and in a cost run, ghosts. */
export interface PointKey {
  readonly root: Root;
  readonly corrections: Corrections;
  /** The client's own bit of the vector at the point: the dealer's to know. */
  readonly atPoint: RingTensor;
}

/**
 * Keys for points of n ≥ 7 bits: root seeds that each party shares with the dealer, free, and corrections that the
 * dealer announces: (n − 7)·130 + 128 bits to each party.
 */
export function pointKey(party: Party, point: RingTensor): PointKey {
  const seeds = [...point.shape, 2];
  const client = party.clientMask(seeds, 64);
  const server = party.serverMask(seeds, 64);
  const grown = growCorrections(client, server, point);
  // Given one root, corrections are pseudorandom whatever the point (Boyle, Gilboa, Ishai 2016, theorem 3.3).
  const blocks = party.announced(grown.blocks);
  const { shape } = grown.controls;
  const controls = point.width === leafBits ? zeros(shape, 2) : party.announced(grown.controls);
  const own = { client, server, dealer: ghost(seeds, 64) }[party.role];
  const root: Root = { seeds: own, control: party.role === "client" ? 0 : 1 };
  return { root, corrections: { blocks, controls }, atPoint: grown.atPoint };
}

/**
 * Comparison by a distributed point function (K-DPF after SIGMA, Gupta et al., PoPETs 2024; docs/protocols/
 * dpf-comparison.md): XOR shares of 1{X < r} for public X [T, …shape] and a mask r that the dealer knows. All thresholds
 * share a key. Up to 6 bits the dealer shares the truth table instead. 0 rounds, nothing is opened.
 */
// biome-ignore lint/correctness/useYield: a method of comparison without rounds
export function* dpfBelowMask(party: Party, opened: RingTensor, secret: RingTensor): Steps<RingTensor> {
  if (secret.width < leafBits) return bitAt(sharedTable(party, secret), opened);
  const { root, corrections } = pointKey(party, secret);
  return pointAbove(root, corrections, opened);
}
