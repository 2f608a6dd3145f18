import { expect, it } from "vitest";
import type { Spec } from "../../../../runtime/protocols/kit/define-protocol.ts";
import { rangeReducedRsqrt } from "../../../../runtime/protocols/nonlinear/range-reduced-functions.ts";
import { rangeReducedSqrt, sqrtSeries } from "../../../../runtime/protocols/nonlinear/range-reduced-sqrt.ts";
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
  result: fixed([count], to, 0, Math.sqrt(hi), width),
  // More than 30 bits are compared by point functions.
  attrs: from > 20 ? { comparison: "dpf" } : {},
});

const specs = [
  specOf(12, 12, 0, 30, 40),
  specOf(24, 12, 0, 8, 40),
  specOf(16, 8, 0.01, 1, 40),
  specOf(12, 12, 1, 1.9, 40),
  specOf(8, 16, 1, 1000, 44),
  specOf(24, 16, 0, 0.01, 33),
];

it("stays within its declared error, near 0 and at the ends of binades too, 180 seeds; counted = metered", () => {
  const worst = specs.map(() => 0);
  for (let trial = 0; trial < 180; trial++) {
    const k = trial % specs.length;
    const spec = specs[k]!;
    const { lo, hi, scale } = spec.operands[0]!;
    const x = reals(60, lo, hi, trial);
    const unit = 2 ** -scale;
    // Nothing, a few units, and both sides of the binades' bounds.
    for (let i = 0; i < 12; i++) if (i * unit >= lo) x[i] = i * unit;
    for (let i = 12; i < 50; i++) {
      const edge = (2 ** (i - 10) - (i % 2)) * unit;
      if (edge >= lo && edge <= hi) x[i] = edge;
    }
    const outcome = execute(rangeReducedSqrt, spec, [x], { trial });
    expect(outcome.metered).toEqual(outcome.counted);
    worst[k] = Math.max(worst[k]!, worstUlps(outcome, quantizeToGrid(x, scale).map(Math.sqrt)));
  }
  specs.forEach((spec, k) => {
    expect(worst[k]).toBeLessThanOrEqual(declaredUlps(rangeReducedSqrt, spec));
    expect(worst[k]! * 8).toBeGreaterThan(declaredUlps(rangeReducedSqrt, spec));
  });
});

it("is at most a unit from 0 at 0, where the operand has the fractional bits of a square", () => {
  const spec = specOf(24, 12, 0, 8, 40, 1);
  for (let trial = 0; trial < 20; trial++) {
    const nothing = Float64Array.of(0);
    expect(worstUlps(execute(rangeReducedSqrt, spec, [nothing], { trial }), nothing)).toBeLessThanOrEqual(1);
  }
});

it("has the fit errors that its source states", () => {
  const errorOn = (from: number, to: number): number => {
    let worst = 0;
    for (let m = from; m < to; m += 1 / 4096)
      worst = Math.max(worst, Math.abs(seriesAt(sqrtSeries, m, 4) - Math.sqrt(Math.max(0, m))));
    return worst;
  };
  expect(errorOn(1, 2)).toBeLessThan(4.2e-6);
  expect(errorOn(-0.5, 1)).toBeLessThan(0.134);
});

it("costs what an inverse root of the same binades does", () => {
  const spec = specOf(12, 12, 1, 3, 40, 8);
  expect(costOf(rangeReducedSqrt, spec)).toMatchObject({ rounds: 2, clientToServer: 2 * 18 + 7 + 2 });
  const { rounds, clientToServer } = costOf(rangeReducedRsqrt, spec);
  expect(costOf(rangeReducedSqrt, spec)).toMatchObject({ rounds, clientToServer });
  expect(costOf(rangeReducedSqrt, specOf(12, 12, 1, 1.9, 40, 8)).rounds).toBe(0);
});

it("refuses what may be negative", () => {
  expect(() => resolveWidths(rangeReducedSqrt, specOf(12, 12, -1, 1, 40))).toThrow(/must not be negative/);
});
