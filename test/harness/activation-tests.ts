import { expect, it } from "vitest";
import { digitBits } from "../../runtime/protocols/comparison/comparison-digits.ts";
import type { Protocol, Spec } from "../../runtime/protocols/kit/define-protocol.ts";
import type { SeriesActivation } from "../../runtime/protocols/nonlinear/series-activation.ts";
import type { Series } from "../../runtime/ring/harmonics.ts";
import {
  costOf,
  declaredUlps,
  execute,
  fixed,
  quantizeToGrid,
  reals,
  resolveWidths,
  worstUlps,
} from "./execute-protocol.ts";

export function seriesAt({ constant, cosines, sines }: Series, x: number, period: number): number {
  const angle = (2 * Math.PI * x) / period;
  const even = cosines.reduce((sum, c, k) => sum + c * Math.cos((k + 1) * angle), constant);
  return sines.reduce((sum, s, k) => sum + s * Math.sin((k + 1) * angle), even);
}

const COUNT = 64;
export const activationSpec = (
  scales: readonly [number, number],
  lo: number,
  hi: number,
  width: number,
  count = COUNT,
): Spec => ({
  operands: [fixed([count], scales[0], lo, hi)],
  result: fixed([count], scales[1], Math.min(lo, -1), Math.max(hi, 1), width),
  attrs: {},
});

const cases = [
  activationSpec([12, 12], -32, 32, 40),
  activationSpec([12, 12], -2, 2, 40),
  activationSpec([8, 12], -50, 20, 36),
  activationSpec([14, 16], -8, 8, 30),
  activationSpec([10, 8], -100, 100, 24),
];

/** Properties of the five saturated activations, each with its table and the function, or functions, that it covers. */
export function activationTests(
  protocol: Protocol,
  table: SeriesActivation,
  ...forms: readonly ((x: number) => number)[]
): void {
  const exact = forms[0]!;

  it("stays within its declared error over 250 seeds, five scales and ranges; counted = metered", () => {
    const worst = cases.map(() => 0);
    for (let trial = 0; trial < 250; trial++) {
      const k = trial % cases.length;
      const spec = cases[k]!;
      const { lo, hi, scale } = spec.operands[0]!;
      const x = reals(COUNT, lo, hi, trial);
      // The points where pieces meet.
      [-table.bound, table.bound, -table.bound - 0.1, table.bound + 0.1].forEach((v, i) => {
        if (lo <= v && v <= hi) x[3 + i] = v;
      });
      const outcome = execute(protocol, spec, [x], { trial });
      expect(outcome.metered).toEqual(outcome.counted);
      worst[k] = Math.max(worst[k]!, worstUlps(outcome, quantizeToGrid(x, scale).map(exact)));
    }
    cases.forEach((spec, k) => {
      expect(worst[k]).toBeLessThanOrEqual(declaredUlps(protocol, spec));
      // The bound is not too loose: errors reach a seventh of it, apart from the part of another form.
      expect(worst[k]! * 7 + table.fitError * 2 ** spec.result.scale).toBeGreaterThan(declaredUlps(protocol, spec));
    });
  });

  it("has the fit and the saturation error that its table states", () => {
    const period = 2 ** table.logPeriod;
    const half = table.halfLinear ? 0.5 : 0;
    let worst = 0;
    // Thresholds have 3 fractional bits: the inner piece ends 1/8 beyond the bound, the outer ones begin 1/8 inside.
    for (let x = -table.bound - 0.125; x <= table.bound + 0.125; x += 1 / 512) {
      worst = Math.max(worst, ...forms.map((f) => Math.abs(half * x + seriesAt(table.series, x, period) - f(x))));
    }
    for (let x = table.bound - 0.125; x < 64; x += 1 / 64) {
      worst = Math.max(worst, ...forms.map((f) => Math.abs(f(-x) - table.valueBelow)));
      worst = Math.max(worst, ...forms.map((f) => Math.abs(f(x) - (table.valueAbove === 1 ? 1 : x))));
    }
    expect(worst).toBeLessThanOrEqual(table.fitError);
    expect(worst * 3).toBeGreaterThan(table.fitError);
  });

  it("costs what protocols.md 8 says: 2K·m′ dealer bits inside the bound and no round; two rounds outside", () => {
    const harmonics = 2 * Math.max(table.series.cosines.length, table.series.sines.length);
    const inside = costOf(protocol, activationSpec([12, 12], -2, 2, 40, 8));
    expect([inside.rounds, inside.clientToServer + inside.serverToClient]).toEqual([0, 0]);
    // Extension of half the argument to 40 + 1 bits: 2(m − n).
    const { operands } = resolveWidths(protocol, activationSpec([12, 12], -2, 2, 40, 8));
    const extension = table.halfLinear ? 2 * (41 - operands[0]!.width) : 0;
    // Eight elements: one bit of each makes one byte.
    expect(inside.dealerToServer).toBe(harmonics * (40 + 28 - 12) + extension);

    const outside = costOf(protocol, activationSpec([12, 12], -32, 32, 40, 8));
    const width = resolveWidths(protocol, activationSpec([12, 12], -32, 32, 40, 8)).operands[0]!.width;
    const inner = 12 + Math.floor(Math.log2(table.bound)) + 3;
    const digits = Math.ceil((width - 10) / digitBits(width - 10));
    // OPEN of the inner value, two CMP_MDC on the masked value with 3 fractional bits, two or three selecting bits.
    const bits = inner + 2 * (2 * digits - 1) + (table.valueBelow === 0 ? 2 : 3);
    expect(outside).toMatchObject({ rounds: 2, clientToServer: bits, serverToClient: bits });
  });

  it("accepts every ring up to its declared maximum, and none beyond where the series is its result", () => {
    const widest = (hi: number): number =>
      protocol.maxResultWidth!(resolveWidths(protocol, activationSpec([12, 12], -2, hi, 40)));
    expect([widest(2), widest(32)]).toEqual([48, 64]);
    resolveWidths(protocol, activationSpec([12, 12], -2, 2, 48));
    resolveWidths(protocol, activationSpec([12, 12], -2, 32, 64));
    expect(() => resolveWidths(protocol, activationSpec([12, 12], -2, 2, 49))).toThrow(/at most 64/);
  });

  it("refuses specs that it cannot run", () => {
    expect(() => resolveWidths(protocol, activationSpec([12, 12], -2, 2, 60))).toThrow(/at most 64/);
    expect(() => resolveWidths(protocol, activationSpec([12, 12], -(2 ** 30), 1, 40))).toThrow(
      /comparisons take at most/,
    );
    expect(() => resolveWidths(protocol, activationSpec([30, 12], -32, 32, 40))).toThrow(/period/);
    expect(() => resolveWidths(protocol, activationSpec([2, 12], -32, 32, 40))).toThrow(/fractional bits/);
  });
}
