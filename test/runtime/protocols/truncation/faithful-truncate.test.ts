import { expect, it } from "vitest";
import { truncate } from "../../../../ir/ops/truncate.ts";
import { createPrg } from "../../../../runtime/core/random.ts";
import { digitBits, digitComparisonBits } from "../../../../runtime/protocols/comparison/comparison-digits.ts";
import { isExact } from "../../../../runtime/protocols/kit/define-protocol.ts";
import { faithfulTruncate } from "../../../../runtime/protocols/truncation/faithful-truncate.ts";
import { costOf, execute, fixed, resolveWidths } from "../../../harness/execute-protocol.ts";
import { seedOf } from "../../../harness/run-parties.ts";

/** Integers below 2^(wire − 2) in size lose `by` bits, into a ring of `to`. */
const specOf = (count: number, maskedWidth: number, by: number, to: number) => {
  const most = largest(maskedWidth);
  return {
    operands: [fixed([count], 0, -most, most)],
    result: fixed([count], -by, -most, most, to),
    attrs: { by },
  };
};

/** The largest size that leaves the slack bit, as far as float64 counts. */
const largest = (maskedWidth: number): number => 2 ** (maskedWidth - 2) - Math.max(1, 2 ** (maskedWidth - 2 - 53));

/** The ends, where rounding turns, and what lies between: as far as float64 holds it. */
function integersFor(maskedWidth: number, by: number, count: number, trial: number): Float64Array {
  const most = Math.min(largest(maskedWidth), 2 ** 52 - 2 ** by);
  const words = createPrg(seedOf(trial, 7), "integers").ring([count], 52);
  const half = 2 ** (by - 1);
  const special = [0, 1, -1, half, half - 1, -half, -half - 1, 2 ** by - 1, 1 - 2 ** by, most, -most, most - half];
  return Float64Array.from({ length: count }, (_, k) => {
    const x = special[k] ?? Math.round(((words.data![2 * k]! / 2 ** 32) * 2 - 1) * most);
    return Math.max(-most, Math.min(most, x));
  });
}

const interpreted = (x: Float64Array, by: number): Float64Array => {
  if (typeof truncate.fixed !== "function") throw new Error("truncate has a meaning of its own");
  return truncate.fixed([{ shape: [x.length], data: x }], { by }, [by], 0).data;
};

const cases = [4, 9, 20, 31, 32, 33, 40, 53, 60, 64].flatMap((wire) =>
  [1, 2, 3, 7, 12, 16, 24, 30]
    .filter((by) => by <= wire - 2)
    .flatMap((by) => [Math.max(4, wire - by), Math.min(64, wire + 5), 64].map((to) => ({ wire, by, to }))),
);

it("is the interpreter's truncation bit for bit: wires to 64 bits, shifts to 30, narrower and wider rings, 5 seeds", () => {
  for (const { wire, by, to } of cases) {
    for (const options of [1, 2, 3, 4]
      .map((trial) => ({ trial }))
      .concat([{ trial: 5, corrupted: "client" } as never])) {
      const spec = specOf(24, wire, by, to);
      expect(isExact(faithfulTruncate, spec)).toBe(true);
      const x = integersFor(wire, by, 24, options.trial);
      const outcome = execute(faithfulTruncate, spec, [x], options);
      expect(outcome.metered).toEqual(outcome.counted);
      const expected = [...interpreted(x, by)].map((v) => v + 0);
      const found = [...outcome.values].map((v) => v / 2 ** by);
      expect({ wire, by, to, found }).toEqual({ wire, by, to, found: expected });
    }
  }
});

it("takes a ring that the value just fits", () => {
  // Of 14 bits 12 are dropped: −1, 0 and 1 are left, in a ring of 2 bits.
  const outcome = execute(faithfulTruncate, specOf(5, 14, 12, 2), [Float64Array.of(-4095, -2049, 0, 2047, 4095)]);
  expect([...outcome.values].map((v) => v / 2 ** 12)).toEqual([-1, -1, 0, 0, 1]);
});

it("costs CMP(s), one opened bit and two to three result rings of the dealer", () => {
  for (const { wire, by, to } of cases) {
    const digits = Math.ceil(by / digitBits(by));
    const dealer = digitComparisonBits(by, digitBits(by)) + 2 * to + Math.max(0, to - (wire - by));
    expect(costOf(faithfulTruncate, specOf(8, wire, by, to))).toEqual({
      rounds: 2,
      clientToServer: 2 * digits - 1 + 1,
      serverToClient: 2 * digits - 1 + 1,
      dealerToServer: dealer,
    });
  }
});

it("takes more bits at once by a tree, and refuses them by digits", () => {
  const spec = specOf(24, 60, 40, 20);
  expect(() => resolveWidths(faithfulTruncate, spec)).toThrow(/comparisons take at most 31/);
  const x = integersFor(60, 40, 24, 1);
  const outcome = execute(faithfulTruncate, { ...spec, attrs: { ...spec.attrs, comparison: "tree" } }, [x]);
  expect(outcome.metered).toEqual(outcome.counted);
  expect([...outcome.values].map((v) => v / 2 ** 40)).toEqual([...interpreted(x, 40)].map((v) => v + 0));
});
