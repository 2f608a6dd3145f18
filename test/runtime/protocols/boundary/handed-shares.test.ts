import { describe, expect, it } from "vitest";
import type { Party, Share } from "../../../../runtime/core/party.ts";
import { createPrg } from "../../../../runtime/core/random.ts";
import { seededHandOver, seededTakeOver } from "../../../../runtime/protocols/boundary/handed-shares.ts";
import type { Protocol } from "../../../../runtime/protocols/kit/define-protocol.ts";
import { fromIntegers } from "../../../../runtime/ring/convert.ts";
import { intTensor, type RingTensor, zeros } from "../../../../runtime/ring/tensor.ts";
import { costOf, execute, fixed, quantizeToGrid, reals } from "../../../harness/execute-protocol.ts";
import { allSharings, residues } from "../../../harness/residues.ts";
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
    expect(residues(protocol, allSharings)).toEqual({ uniform: true, sums: true });
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
