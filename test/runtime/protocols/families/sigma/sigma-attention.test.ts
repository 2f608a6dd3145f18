import { expect, it } from "vitest";
import { sigmaAttention } from "../../../../../runtime/protocols/families/sigma/sigma-attention.ts";
import type { Spec } from "../../../../../runtime/protocols/kit/define-protocol.ts";
import {
  costOf,
  declaredUlps,
  execute,
  fixed,
  quantizeToGrid,
  reals,
  worstUlps,
} from "../../../../harness/execute-protocol.ts";
import { softmaxRows } from "../../../../harness/reference-functions.ts";

interface AttentionSizes {
  readonly heads: number;
  readonly groups: number;
  readonly positions: number;
  readonly depth: number;
  readonly columns: number;
}
const specOf = (
  { heads, groups, positions, depth, columns }: AttentionSizes,
  causal: boolean,
  scale: number,
  width = 50,
): Spec => ({
  operands: [
    fixed([1, heads, positions, depth], 12, -2, 2),
    fixed([1, groups, columns, depth], 12, -2, 2),
    fixed([1, groups, columns, depth], 12, -3, 3),
  ],
  result: fixed([1, heads, positions, depth], 12, -3, 3, width),
  attrs: { scale, causal },
});

function attend(s: AttentionSizes, causal: boolean, scale: number, q: Float64Array, k: Float64Array, v: Float64Array) {
  const result: number[] = [];
  for (let row = 0; row < s.heads * s.positions; row++) {
    const group = Math.floor((Math.floor(row / s.positions) * s.groups) / s.heads);
    const reach = causal ? (row % s.positions) + 1 + s.columns - s.positions : s.columns;
    const scores = Float64Array.from({ length: reach }, (_, j) => {
      let sum = 0;
      for (let d = 0; d < s.depth; d++) sum += q[row * s.depth + d]! * k[(group * s.columns + j) * s.depth + d]!;
      return sum * scale;
    });
    const weights = softmaxRows(scores, reach);
    for (let d = 0; d < s.depth; d++) {
      result.push(weights.reduce((sum, w, j) => sum + w * v[(group * s.columns + j) * s.depth + d]!, 0));
    }
  }
  return result;
}

it.each([
  { sizes: { heads: 2, groups: 2, positions: 5, depth: 4, columns: 5 }, causal: false, scale: 0.5, width: 50 },
  {
    sizes: { heads: 4, groups: 2, positions: 3, depth: 6, columns: 7 },
    causal: true,
    scale: 1 / Math.sqrt(6),
    width: 50,
  },
  { sizes: { heads: 1, groups: 1, positions: 6, depth: 3, columns: 6 }, causal: true, scale: 1, width: 44 },
])("is softmax(scale·q·kᵀ)·v within the declared error: $sizes causal $causal; counted = metered", (test) => {
  const { sizes: s, causal, scale, width } = test;
  const spec = specOf(s, causal, scale, width);
  let worst = 0;
  for (let trial = 1; trial <= 6; trial++) {
    const q = reals(s.heads * s.positions * s.depth, -2, 2, trial);
    const k = reals(s.groups * s.columns * s.depth, -2, 2, trial + 100);
    const v = reals(s.groups * s.columns * s.depth, -3, 3, trial + 200);
    const outcome = execute(sigmaAttention, spec, [q, k, v], { trial });
    expect(outcome.metered).toEqual(outcome.counted);
    const [a, b, c] = [q, k, v].map((t) => quantizeToGrid(t, 12)) as [Float64Array, Float64Array, Float64Array];
    worst = Math.max(worst, worstUlps(outcome, attend(s, causal, scale, a, b, c)));
  }
  expect(worst).toBeLessThanOrEqual(declaredUlps(sigmaAttention, spec));
  expect(worst * 20).toBeGreaterThan(declaredUlps(sigmaAttention, spec));
});

it("costs what protocols.md 5 says of SIGMA: products, softmax and their truncations, each way", () => {
  const [S, D, n, f] = [64, 8, 50, 12];
  const cost = costOf(sigmaAttention, specOf({ heads: 1, groups: 1, positions: S, depth: D, columns: S }, false, 1));
  const tf = 1 + n - f + (1 + n);
  const softmax = S * S * (17 + 2 * (1 + 2 * n) + 9 + 2 * (2 * n + 1)) + S * (S - 1) * (1 + n - f + 2);
  // Products of values are opened and truncated; the last opening belongs to who reads them.
  const elementwise = S * S * (n + tf) + softmax + S * D * (n + tf - n);
  // Once a row: the sum, its truncation, its index and the inverse looked up.
  const rows = S * (n + 1 + (6 + 6 + 2) + (1 + n) + n);
  expect(Math.abs(cost.clientToServer * 8 - elementwise - rows)).toBeLessThan(64);
});
