import { expect, it } from "vitest";
import type { Spec } from "../../../../runtime/protocols/kit/define-protocol.ts";
import { separableExp } from "../../../../runtime/protocols/nonlinear/separable-exp.ts";
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

const specOf = (count: number, from: number, to: number, lo: number, hi: number, width: number): Spec => ({
  operands: [fixed([count], from, lo, hi)],
  result: fixed([count], to, 0, Math.exp(hi), width),
  attrs: {},
});

const specs = [
  specOf(80, 12, 12, -12, 2, 30),
  specOf(80, 12, 12, -20, 0, 30),
  specOf(80, 8, 8, -3, 8, 30),
  specOf(80, 14, 16, -1, 1, 30),
  specOf(80, 10, 12, -30, -20, 40),
  specOf(80, 4, 6, -5, 3, 24),
  specOf(80, 12, 12, -12, 2, 44),
];

it("is e^x within its declared error, 245 seeds over scales, ranges and rings; counted = metered", () => {
  const worst = specs.map(() => 0);
  for (let trial = 0; trial < 245; trial++) {
    const k = trial % specs.length;
    const spec = specs[k]!;
    const { lo, hi, scale } = spec.operands[0]!;
    const x = reals(80, lo, hi, trial);
    const outcome = execute(separableExp, spec, [x], { trial });
    expect(outcome.metered).toEqual(outcome.counted);
    worst[k] = Math.max(worst[k]!, worstUlps(outcome, quantizeToGrid(x, scale).map(Math.exp)));
  }
  specs.forEach((spec, k) => {
    expect(worst[k]).toBeLessThanOrEqual(declaredUlps(separableExp, spec));
    expect(worst[k]! * 12 + 6).toBeGreaterThan(declaredUlps(separableExp, spec));
  });
});

it("costs EXP_SEP of protocols.md 8: CMP(16) + CMP(n), then 4 words of the dealer and 4 bits online", () => {
  const spec = specOf(8, 12, 12, -12, 2, 30);
  const width = resolveWidths(separableExp, spec).operands[0]!.width - 12;
  // CMP_MDC of 16 bits: 75 from the dealer, 2·7 online; of the low bits of the wire's whole units, and msb r.
  const compare: Record<number, [dealer: number, digits: number]> = { 5: [11, 2], 6: [15, 2], 7: [23, 2] };
  const [dealer, digits] = compare[width - 12 - 1]!;
  const online = width + 7 + (2 * digits - 1) + 2;
  expect(costOf(separableExp, spec)).toEqual({
    rounds: 3,
    clientToServer: online,
    serverToClient: online,
    dealerToServer: 75 + dealer + 1 + 4 * (30 + 44 - 15),
  });
});

it("refuses what it cannot run", () => {
  expect(() => resolveWidths(separableExp, specOf(8, 12, 12, 0, 9, 40))).toThrow(/2\^13, at most 2\^12/);
  expect(() => resolveWidths(separableExp, specOf(8, 12, 12, -1, 0, 64))).toThrow(/no room for the factors/);
  expect(() => resolveWidths(separableExp, specOf(8, 12, 12, -(2 ** 20), 0, 40))).toThrow(
    /comparisons take at most 31/,
  );
  expect(() => resolveWidths(separableExp, specOf(8, 60, 12, -1, 0, 40))).toThrow(/ring of 64/);
});
