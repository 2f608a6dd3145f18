import { expect, it } from "vitest";
import type { Spec } from "../../../../runtime/protocols/kit/define-protocol.ts";
import { oneOpeningLayerNorm, oneOpeningRmsNorm } from "../../../../runtime/protocols/nonlinear/norm.ts";
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
import { normRows } from "../../../harness/reference-functions.ts";

const epsilon = 1e-5;
const specOf = (rows: number, n: number, bound: number, from: number, width: number, to: number): Spec => ({
  operands: [fixed([rows, n], from, -bound, bound)],
  result: fixed([rows, n], to, -5, 5, width),
  attrs: { epsilon, sum_lo: (n * bound * bound) / 20, sum_hi: n * bound * bound },
});
const specs = [
  specOf(10, 128, 16, 12, 44, 12),
  specOf(4, 8, 1, 12, 40, 12),
  specOf(2, 768, 30, 12, 44, 12),
  specOf(5, 64, 4, 8, 36, 8),
  specOf(2, 64, 0.05, 12, 44, 12),
  specOf(20, 32, 4, 6, 30, 14),
];

for (const [protocol, centred] of [
  [oneOpeningRmsNorm, false],
  [oneOpeningLayerNorm, true],
] as const) {
  it(`${protocol.name} stays within its declared error, 120 seeds; counted = metered`, () => {
    const worst = specs.map(() => 0);
    for (let trial = 0; trial < 120; trial++) {
      const k = trial % specs.length;
      const spec = specs[k]!;
      const { hi, scale, shape } = spec.operands[0]!;
      const n = shape[1]!;
      const x = reals(shape[0]! * n, -hi, hi, trial);
      const outcome = execute(protocol, spec, [x], { trial });
      expect(outcome.metered).toEqual(outcome.counted);
      worst[k] = Math.max(worst[k]!, worstUlps(outcome, normRows(quantizeToGrid(x, scale), n, epsilon, centred)));
    }
    specs.forEach((spec, k) => {
      expect(worst[k]).toBeLessThanOrEqual(declaredUlps(protocol, spec));
      expect(worst[k]! * 16).toBeGreaterThan(declaredUlps(protocol, spec));
    });
  });
}

it("finds the mean of rows that are far from zero", () => {
  const n = 768;
  const spec: Spec = {
    operands: [fixed([2, n], 12, -32, 32)],
    result: fixed([2, n], 12, -3, 3, 44),
    attrs: { epsilon, sum_lo: n / 4, sum_hi: n },
  };
  const x = reals(2 * n, 29.5, 31.5);
  const outcome = execute(oneOpeningLayerNorm, spec, [x]);
  const exact = normRows(quantizeToGrid(x, 12), n, epsilon, true);
  expect(worstUlps(outcome, exact)).toBeLessThanOrEqual(declaredUlps(oneOpeningLayerNorm, spec));
});

it("finds rows whose squares span 2^26, in octaves whose period is longer than a lane", () => {
  const [count, n] = [26, 64];
  const spec: Spec = {
    operands: [fixed([count, n], 12, -1000, 1000)],
    result: fixed([count, n], 12, -8, 8, 38),
    attrs: { epsilon, sum_lo: n * 2 ** -12, sum_hi: n * 2 ** 14, comparison: "dpf" },
  };
  const x = reals(count * n, 1, 1.4).map((value, k) => value * 2 ** (Math.floor(k / n) / 2 - 6));
  const outcome = execute(oneOpeningRmsNorm, spec, [x]);
  expect(outcome.metered).toEqual(outcome.counted);
  const exact = normRows(quantizeToGrid(x, 12), n, epsilon, false);
  expect(worstUlps(outcome, exact)).toBeLessThanOrEqual(declaredUlps(oneOpeningRmsNorm, spec));
});

it("takes 4 rounds for RMS norm, 5 for layer norm, one less with point functions, and opens nothing of x's size", () => {
  const rms = costOf(oneOpeningRmsNorm, specOf(8, 64, 4, 12, 44, 12));
  const layer = costOf(oneOpeningLayerNorm, specOf(8, 64, 4, 12, 44, 12));
  expect([rms.rounds, layer.rounds]).toEqual([4, 5]);
  const spec = specOf(8, 64, 4, 12, 44, 12);
  expect(costOf(oneOpeningRmsNorm, { ...spec, attrs: { ...spec.attrs, comparison: "dpf" } }).rounds).toBe(3);
  // Per row only: twice the elements, but for a bit of the inverse root the same online bytes.
  const wide = costOf(oneOpeningRmsNorm, {
    ...specOf(8, 128, 4, 12, 44, 12),
    attrs: specOf(8, 64, 4, 12, 44, 12).attrs,
  });
  expect(wide.clientToServer).toBeLessThanOrEqual(rms.clientToServer + 1);
});

it("refuses what it cannot run", () => {
  const wide = specOf(8, 64, 2 ** 20, 12, 44, 12);
  expect(() => resolveWidths(oneOpeningRmsNorm, wide)).toThrow(/sum of squares/);
  expect(() => resolveWidths(oneOpeningRmsNorm, specOf(8, 64, 4, 12, 64, 12))).toThrow(/no room for the inverse root/);
  const tiny = { ...specOf(8, 64, 4, 6, 44, 12), attrs: { epsilon: 0, sum_lo: 2 ** -20, sum_hi: 1 } };
  expect(() => resolveWidths(oneOpeningRmsNorm, tiny)).toThrow(/at least 2 bits/);
  const spread = { ...specOf(8, 64, 4, 12, 44, 12), attrs: { epsilon: 0, sum_lo: 2 ** -12, sum_hi: 2 ** 10 } };
  expect(() => resolveWidths(oneOpeningLayerNorm, spread)).toThrow(/comparisons take at most 31/);
});
