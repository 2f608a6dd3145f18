import { expect, it } from "vitest";
import type { Protocol, Spec } from "../../../../runtime/protocols/kit/define-protocol.ts";
import { mantissaSeries } from "../../../../runtime/protocols/nonlinear/exponent-range-reduction.ts";
import {
  rangeReducedLog,
  rangeReducedReciprocal,
  rangeReducedRsqrt,
} from "../../../../runtime/protocols/nonlinear/range-reduced-functions.ts";
import { seriesAt } from "../../../harness/activation-tests.ts";
import {
  costOf,
  declaredUlps,
  execute,
  fixed,
  quantizeToGrid,
  reals,
  resolveWidths,
  worstUlps,
} from "../../../harness/execute-protocol.ts";

const specOf = (from: number, to: number, lo: number, hi: number, width: number, count = 60): Spec => ({
  operands: [fixed([count], from, lo, hi)],
  result: fixed([count], to, 0, 1 / lo, width),
  attrs: {},
});

const specs = [
  specOf(12, 12, 0.1, 30, 40),
  specOf(12, 12, 1, 1.9, 40),
  specOf(16, 8, 0.01, 1, 40),
  specOf(8, 16, 1, 1000, 40),
  specOf(10, 4, 0.5, 300, 24),
];
const functions: readonly [Protocol, (x: number) => number][] = [
  [rangeReducedLog, Math.log],
  [rangeReducedReciprocal, (x) => 1 / x],
  [rangeReducedRsqrt, (x) => 1 / Math.sqrt(x)],
];

for (const [protocol, exact] of functions) {
  it(`${protocol.name} stays within its declared error, 200 seeds; counted = metered`, () => {
    const worst = specs.map(() => 0);
    for (let trial = 0; trial < 200; trial++) {
      const k = trial % specs.length;
      const spec = specs[k]!;
      const { lo, hi, scale } = spec.operands[0]!;
      const x = reals(60, lo, hi, trial);
      // Both sides of the octaves' bounds.
      for (let i = 3; i < 30; i++) {
        const edge = 2 ** (i - 12) - (i % 2) * 2 ** -scale;
        if (edge >= lo && edge <= hi) x[i] = edge;
      }
      const outcome = execute(protocol, spec, [x], { trial });
      expect(outcome.metered).toEqual(outcome.counted);
      worst[k] = Math.max(worst[k]!, worstUlps(outcome, quantizeToGrid(x, scale).map(exact)));
    }
    specs.forEach((spec, k) => {
      expect(worst[k]).toBeLessThanOrEqual(declaredUlps(protocol, spec));
      expect(worst[k]! * 6).toBeGreaterThan(declaredUlps(protocol, spec));
    });
  });
}

it("has the fit errors that octaves.ts states on [1, 2)", () => {
  const worst = { log: 0, reciprocal: 0, rsqrt: 0 };
  for (let m = 1; m < 2; m += 1 / 4096) {
    worst.log = Math.max(worst.log, Math.abs(seriesAt(mantissaSeries.log, m, 4) - Math.log(m)));
    worst.reciprocal = Math.max(worst.reciprocal, Math.abs(seriesAt(mantissaSeries.reciprocal, m, 4) - 1 / m));
    worst.rsqrt = Math.max(worst.rsqrt, Math.abs(seriesAt(mantissaSeries.rsqrt, m, 4) - 1 / Math.sqrt(m)));
  }
  expect(worst.reciprocal).toBeLessThan(1.75e-6);
  expect(worst.log).toBeLessThan(7.8e-7);
  expect(worst.rsqrt).toBeLessThan(5.8e-7);
});

it("needs no round where one octave holds the range, and two otherwise, one with point functions", () => {
  expect(costOf(rangeReducedReciprocal, specOf(12, 12, 1, 1.9, 40, 8))).toEqual({
    rounds: 0,
    clientToServer: 0,
    serverToClient: 0,
    // FOURIER of protocols.md 8: 2K·m′ with m′ = width + 28 − scale, and 2 bits that the inverse has too many.
    dealerToServer: 8 * (42 + 28 - 14),
  });
  const two = costOf(rangeReducedReciprocal, specOf(12, 12, 1, 3, 40, 8));
  // Two values of 18 bits, one comparison on 14 low bits (4 digits), two selecting bits; each way, a byte per bit.
  expect(two).toMatchObject({ rounds: 2, clientToServer: 2 * 18 + 7 + 2, serverToClient: 2 * 18 + 7 + 2 });
  // A comparison of no round: the bits are opened beside the values.
  const spec = specOf(12, 12, 1, 3, 40, 8);
  const points = costOf(rangeReducedReciprocal, { ...spec, attrs: { ...spec.attrs, comparison: "dpf" } });
  expect(points).toMatchObject({ rounds: 1, clientToServer: 2 * 18 + 2, serverToClient: 2 * 18 + 2 });
  // |ln x| ≤ ln 4 has 15 bits with sign, and slack, 14 fractional ones among them.
  const log = costOf(rangeReducedLog, specOf(12, 12, 1, 3, 40, 8));
  expect(log).toMatchObject({ rounds: 2, clientToServer: 2 * 17 + 7 + 2, serverToClient: 2 * 17 + 7 + 2 });
});

it("refuses ranges that are not positive, too small or too wide", () => {
  expect(() => resolveWidths(rangeReducedReciprocal, specOf(12, 12, 0, 1, 40))).toThrow(/must be positive/);
  expect(() => resolveWidths(rangeReducedRsqrt, specOf(12, 12, -1, 1, 40))).toThrow(/must be positive/);
  expect(() => resolveWidths(rangeReducedLog, specOf(12, 12, 0, 1, 40))).toThrow(/must be positive/);
  expect(() => resolveWidths(rangeReducedRsqrt, specOf(12, 12, 2 ** -12, 1, 40))).toThrow(/at least 2 bits/);
  expect(() => resolveWidths(rangeReducedRsqrt, specOf(12, 12, 1, 2 ** 20, 40))).toThrow(/comparisons take at most 31/);
});
