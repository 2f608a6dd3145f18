import { describe, expect, it } from "vitest";
import type { Party, Share } from "../../../../runtime/core/party.ts";
import { createPrg } from "../../../../runtime/core/random.ts";
import { seededHandOver, seededTakeOver } from "../../../../runtime/protocols/boundary/handed-shares.ts";
import type { Protocol } from "../../../../runtime/protocols/kit/define-protocol.ts";
import { fromIntegers, toIntegers } from "../../../../runtime/ring/convert.ts";
import { intTensor, type RingTensor, zeros } from "../../../../runtime/ring/tensor.ts";
import { costOf, execute, fixed, quantizeToGrid, reals } from "../../../harness/execute-protocol.ts";
import { seedOf } from "../../../harness/run-parties.ts";

const nothing = { rounds: 0, clientToServer: 0, serverToClient: 0, dealerToServer: 0 };
const specOf = (width: number, count = 25) => ({
  operands: [fixed([count], 12, -4, 4, width)],
  result: fixed([count], 12, -4, 4, width),
  attrs: {},
});
const both = [
  ["hand-over", seededHandOver],
  ["take-over", seededTakeOver],
] as const;

describe.each(both)("%s", (_, protocol) => {
  it("keeps the value, without traffic, 100 seeds", () => {
    for (let trial = 0; trial < 100; trial++) {
      const x = quantizeToGrid(reals(25, -4, 4, trial), 12);
      const outcome = execute(protocol, specOf([16, 32, 44, 53][trial % 4]!), [x], { trial });
      expect(Array.from(outcome.values)).toEqual(Array.from(x, (v) => v + 0));
      expect(outcome.metered).toEqual(nothing);
    }
    expect(costOf(protocol, specOf(53))).toEqual(nothing);
  });

  // Given any share of any value, the new share runs over the whole ring once, as the zero sharing does. So it says
  // nothing to whoever lacks the common seed, whatever else is known: the dealer's randomness, or another share.
  it("gives each party a residue that is uniform for every share of every value, 3 bits", () => {
    expect(residues(protocol, [...Array(8).keys()])).toEqual({ uniform: true, sums: true });
  });

  it("detects the break: the zero sharing is left out", () => {
    expect(residues(protocol, Array(8).fill(0))).toEqual({ uniform: false, sums: true });
  });

  // At full width, with a share that is the same in every element.
  it("gives residues of 53 bits whose bits are set half the time", () => {
    const common = createPrg(seedOf(1, 5), "zero");
    expect(worstBit(protocol, (shape, width) => common.ring(shape, width))).toBeLessThan(5);
    expect(worstBit(protocol, zeros)).toBeGreaterThan(50);
  });
});

/** The protocol in a ring of 3 bits, for every value and every share of the client's, with these sharings of zero. */
function residues(protocol: Protocol, sharings: readonly number[]) {
  const ring = (value: number): RingTensor => fromIntegers(intTensor([1], Float64Array.of(value)), 3);
  const operand = (value: number) =>
    protocol.forms[0] === "share" ? ({ kind: "share", tensor: ring(value) } as const) : toIntegers(ring(value));
  const spec = { operands: [fixed([1], 0, -4, 3, 3)], result: fixed([1], 0, -4, 3, 3), attrs: {} };
  const run = (role: "client" | "server", share: number, zero: number): number => {
    const party = { role, sharedRandom: () => ring(zero) } as unknown as Party;
    const done = protocol.run(party, spec, operand(share)).next();
    return ((done.value as Share).tensor.data as Uint32Array)[0]!;
  };
  const all = [...Array(8).keys()];
  let [uniform, sums] = [true, true];
  for (const value of all) {
    for (const share of all) {
      const pairs = sharings.map((zero) => [run("client", share, zero), run("server", value - share, zero)] as const);
      uniform &&= [0, 1].every((k) => new Set(pairs.map((pair) => pair[k])).size === 8);
      sums &&= pairs.every(([a, b]) => (a + b) % 8 === value);
    }
  }
  return { uniform, sums };
}

/** Largest deviation of a bit's frequency from one half, in standard deviations, over shares of one value. */
function worstBit(protocol: Protocol, zeroOf: (shape: readonly number[], width: number) => RingTensor): number {
  const count = 4096;
  const { operands, result, attrs } = specOf(53, count);
  const share = intTensor([count], new Float64Array(count).fill(0x5a5a5));
  const operand = protocol.forms[0] === "share" ? ({ kind: "share", tensor: fromIntegers(share, 53) } as const) : share;
  const party = { role: "client", sharedRandom: zeroOf } as unknown as Party;
  const done = protocol.run(party, { operands, result, attrs }, operand).next();
  const words = (done.value as Share).tensor.data!;
  const deviations = Array.from({ length: 53 }, (_, bit) => {
    let set = 0;
    for (let k = 0; k < count; k++) set += (words[2 * k + (bit >>> 5)]! >>> (bit & 31)) & 1;
    return Math.abs(set - count / 2) / (Math.sqrt(count) / 2);
  });
  return Math.max(...deviations);
}
