import { expect, it } from "vitest";
import { createPrg } from "../../runtime/core/random.ts";
import type { Steps } from "../../runtime/core/steps.ts";
import { maskAndOpen } from "../../runtime/protocols/boundary/open.ts";
import { belowMask, belowThresholds, type Comparison } from "../../runtime/protocols/comparison/comparison.ts";
import { add, addConstant } from "../../runtime/ring/arithmetic.ts";
import { lessThan } from "../../runtime/ring/bits.ts";
import { fromIntegers } from "../../runtime/ring/convert.ts";
import { concat, reshape } from "../../runtime/ring/layout-ops.ts";
import { shiftRight, widen } from "../../runtime/ring/shift.ts";
import { intTensor, metaTensor, type RingTensor } from "../../runtime/ring/tensor.ts";
import { inputShare } from "./execute-protocol.ts";
import { count, type QueryTraffic, runParties, seedOf } from "./run-parties.ts";

/** Properties of every comparison. */

function* immediate<T>(value: T): Steps<T> {
  return value;
}

/** Checks 1{X < r} for all X and r of small widths and random ones of large; thresholds; counted = metered traffic. */
export function comparesExactly(comparison: Comparison, small: readonly number[], large: readonly number[]): void {
  const checkMask = (width: number, opened: RingTensor, trial: number): void => {
    const run = runParties(function* (party) {
      const mask = party.mask([opened.shape[1]!], width);
      return { mask: mask.share, bits: yield* belowMask(party, opened, mask.secret, comparison) };
    }, trial);
    expect(run.metered).toEqual(run.counted);
    const r = reshape(add(run.client.mask, run.server.mask), [1, opened.shape[1]!]);
    expect(add(run.client.bits, run.server.bits)).toEqual(lessThan(opened, r));
  };

  it.each(small)("is correct for every public value and every mask of %i bits", (width) => {
    // A row of all values for each of many masks: every pair occurs, except with probability below 2^−40.
    const size = 2 ** width;
    const values = Float64Array.from({ length: size * 32 * size }, (_, k) => Math.floor(k / (32 * size)));
    checkMask(width, fromIntegers(intTensor([size, 32 * size], values), width), 1);
  });

  it.each(large)("is correct for random values and masks of %i bits, and for their neighbors", (width) => {
    for (let trial = 0; trial < 4; trial++) {
      // The mask is the first draw, here as in the comparison.
      const drawn = runParties(function* (party) {
        return yield* immediate(party.mask([50], width).share);
      }, trial);
      const r = add(drawn.client, drawn.server);
      const random = createPrg(seedOf(trial, 5), String(width)).ring([50], width);
      const near = [0, 1, 2, 3].map((k) => shiftRight(random, Math.floor(((width - 1) * k) / 3)));
      const values = [r, addConstant(r, 1), addConstant(r, -1), ...near.map((t) => add(r, widen(t, width)))];
      const all = [...values, random].map((t) => reshape(t, [1, 50]));
      checkMask(width, concat(all, 0), trial);
    }
  });

  it.each(large.filter((width) => width < 52))("accepts every threshold on masked values of %i bits", (width) => {
    const limit = 2 ** (width - 2);
    const words = createPrg(seedOf(1, 5), String(width)).ring([40], 32).data!;
    const values = Float64Array.from(words, (word) => Math.round((word / 2 ** 31 - 1) * (limit - 1)));
    const thresholds = [0, -limit, Math.floor(limit / 3), limit - 1, values[7]!, values[8]! + 1];
    values.set([0, limit - 1, 1 - limit]);
    const x = fromIntegers(intTensor([40], values), width);
    const run = runParties(function* (party, stage) {
      const masked = yield* maskAndOpen(party.at("open"), inputShare(party, stage, x, 0, {}));
      return yield* belowThresholds(party.at("op"), masked, thresholds, comparison);
    });
    expect(run.metered).toEqual(run.counted);
    const expected = thresholds.flatMap((t) => Array.from(values, (v) => (v < t ? 1 : 0)));
    expect(Array.from(add(run.client, run.server).data!)).toEqual(expected);
  });
}

/**
 * Checks the closed formula of a comparison's cost, in bits, at every width, and figures at some widths: total bits
 * that the dealer sends, and total bits that are opened.
 */
export function costs(
  comparison: Comparison,
  formula: (bits: number) => QueryTraffic,
  figures: Readonly<Record<number, readonly [dealer: number, online: number]>>,
  widths: readonly number[] = [...Array(63).keys()].map((k) => k + 1),
): void {
  it("costs what its formula says, for one or more thresholds", () => {
    // Eight elements: one bit of each makes one byte.
    const measured = (bits: number, thresholds = 1) =>
      count((party) => belowMask(party, metaTensor([thresholds, 8], bits), metaTensor([8], bits), comparison));
    for (const bits of widths) expect(measured(bits), `${bits} bits`).toEqual(formula(bits));
    for (const [bits, figure] of Object.entries(figures)) {
      const { dealerToServer, dealerToClient = 0, clientToServer, serverToClient } = measured(Number(bits));
      expect([dealerToServer + dealerToClient, clientToServer + serverToClient], `${bits} bits`).toEqual(figure);
    }
  });
}
