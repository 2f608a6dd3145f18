import { expect, it } from "vitest";
import { maskedMul } from "../../../../runtime/protocols/arithmetic/masked-mul.ts";
import type { Spec } from "../../../../runtime/protocols/kit/define-protocol.ts";
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

type Scales = readonly [number, number, number];
const specOf = (count: number, scales: Scales, bound: number, width: number): Spec => ({
  operands: [fixed([count], scales[0], -bound, bound), fixed([count], scales[1], -bound, bound)],
  result: fixed([count], scales[2], -bound * bound, bound * bound, width),
  attrs: {},
});
const scales: readonly Scales[] = [
  [12, 12, 12],
  [8, 10, 12],
  [12, 4, 16],
  [6, 6, 14],
  [10, 10, 4],
];

it("multiplies within its declared error, 250 seeds over scales and widths; counted = metered", () => {
  let worst = 0;
  for (let trial = 0; trial < 250; trial++) {
    const scale = scales[trial % 5]!;
    const bound = [1, 8, 100][trial % 3]!;
    const spec = specOf(97, scale, bound, [34, 40, 44][trial % 3]!);
    const x = reals(97, -bound, bound, trial);
    const y = reals(97, -bound, bound, trial + 1000).reverse();
    const outcome = execute(maskedMul, spec, [x, y], { trial });
    const [p, q] = [quantizeToGrid(x, scale[0]), quantizeToGrid(y, scale[1])];
    const ulps = worstUlps(
      outcome,
      p.map((v, k) => v * q[k]!),
    );
    expect(outcome.metered).toEqual(outcome.counted);
    expect(ulps).toBeLessThanOrEqual(declaredUlps(maskedMul, spec));
    worst = Math.max(worst, ulps);
  }
  expect(worst).toBeGreaterThan(0.9);
});

it("broadcasts as numpy does", () => {
  const spec: Spec = {
    operands: [fixed([3, 1, 4], 8, -2, 2), fixed([5, 1], 8, -2, 2)],
    result: fixed([3, 5, 4], 16, -4, 4, 40),
    attrs: {},
  };
  const x = quantizeToGrid(reals(12, -2, 2), 8);
  const y = quantizeToGrid(reals(5, -2, 2, 2), 8);
  const { values } = execute(maskedMul, spec, [x, y]);
  values.forEach((v, k) => {
    expect(v).toBe(0 + x[4 * Math.floor(k / 20) + (k % 4)]! * y[Math.floor(k / 4) % 5]!);
  });
});

it("sends nothing; the dealer's part is the lift of both masks and of their wraps", () => {
  const spec = specOf(8, [12, 12, 12], 8, 40);
  const n = resolveWidths(maskedMul, spec).operands[0]!.width;
  const m = 52;
  // Masks lifted: 2(m − n); product of masks: m; two wraps with their products: 4(m − n); product of wraps: m − 2n.
  const bits = 2 * (m - n) + m + 4 * (m - n) + Math.max(0, m - 2 * n);
  expect(costOf(maskedMul, spec)).toEqual({ rounds: 0, clientToServer: 0, serverToClient: 0, dealerToServer: bits });
});

it("refuses a product that no ring holds", () => {
  expect(() => resolveWidths(maskedMul, specOf(8, [12, 12, 4], 8, 60))).toThrow(/80 bits, at most 64/);
});
