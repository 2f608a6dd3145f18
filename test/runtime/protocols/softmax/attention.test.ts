import { expect, it } from "vitest";
import type { Spec } from "../../../../runtime/protocols/kit/define-protocol.ts";
import { coarseMaxAttention, coarseMaxAttentionKnownMask } from "../../../../runtime/protocols/softmax/attention.ts";
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
import { softmaxRows } from "../../../harness/reference-functions.ts";

interface AttentionSizes {
  readonly batch: number;
  readonly heads: number;
  readonly groups: number;
  readonly positions: number;
  readonly depth: number;
  readonly columns: number;
}
const specOf = (s: AttentionSizes, causal: boolean, scale: number, to: number, width = 36): Spec => ({
  operands: [
    fixed([s.batch, s.heads, s.positions, s.depth], 8, -2, 2),
    fixed([s.batch, s.groups, s.columns, s.depth], 8, -2, 2),
    fixed([s.batch, s.groups, s.columns, s.depth], 10, -3, 3),
  ],
  result: fixed([s.batch, s.heads, s.positions, s.depth], to, -3, 3, width),
  attrs: { scale, causal, score_bound: 4 * s.depth * scale * 1.45 },
});

/** The definition, row by row; a mask is the same for all heads. */
function attend(
  s: AttentionSizes,
  causal: boolean,
  scale: number,
  q: Float64Array,
  k: Float64Array,
  v: Float64Array,
  mask: Float64Array = new Float64Array(s.positions * s.columns),
) {
  const result: number[] = [];
  for (let row = 0; row < s.batch * s.heads * s.positions; row++) {
    const position = row % s.positions;
    const head = Math.floor(row / s.positions) % s.heads;
    const batch = Math.floor(row / s.positions / s.heads);
    const group = batch * s.groups + Math.floor((head * s.groups) / s.heads);
    const reach = causal ? Math.min(s.columns, position + 1 + s.columns - s.positions) : s.columns;
    const scores = Float64Array.from({ length: reach }, (_, j) => {
      let sum = 0;
      for (let d = 0; d < s.depth; d++) sum += q[row * s.depth + d]! * k[(group * s.columns + j) * s.depth + d]!;
      return sum * scale + mask[position * s.columns + j]!;
    });
    const weights = softmaxRows(scores, reach);
    for (let d = 0; d < s.depth; d++) {
      result.push(weights.reduce((sum, w, j) => sum + w * v[(group * s.columns + j) * s.depth + d]!, 0));
    }
  }
  return result;
}

const sizes = (
  batch: number,
  heads: number,
  groups: number,
  positions: number,
  depth: number,
  columns: number,
): AttentionSizes => ({
  batch,
  heads,
  groups,
  positions,
  depth,
  columns,
});
const cases = [
  [sizes(1, 4, 2, 16, 8, 16), true, 0.35, 12],
  [sizes(2, 2, 2, 4, 4, 6), true, 1 / Math.LOG2E, 12],
  [sizes(1, 2, 1, 5, 3, 9), false, 0.5, 12],
  [sizes(1, 1, 1, 24, 16, 24), true, 0.25, 12],
  [sizes(1, 1, 1, 1, 4, 1), true, 0.5, 12],
  [sizes(1, 1, 1, 4, 8, 100), false, 0.3, 10],
] as const;

it("stays within its declared error, 48 seeds: grouped heads, causal or not, one query; counted = metered", () => {
  for (let trial = 0; trial < 48; trial++) {
    const [s, causal, scale, to] = cases[trial % cases.length]!;
    const spec = specOf(s, causal, scale, to);
    const q = quantizeToGrid(reals(s.batch * s.heads * s.positions * s.depth, -2, 2, trial), 8);
    const k = quantizeToGrid(reals(s.batch * s.groups * s.columns * s.depth, -2, 2, trial + 50), 8);
    const v = quantizeToGrid(reals(s.batch * s.groups * s.columns * s.depth, -3, 3, trial + 90), 10);
    const outcome = execute(coarseMaxAttention, spec, [q, k, v], { trial });
    expect(outcome.metered).toEqual(outcome.counted);
    const exact = attend(s, causal, scale, q, k, v);
    expect(worstUlps(outcome, exact)).toBeLessThanOrEqual(declaredUlps(coarseMaxAttention, spec));
  }
});

it("gives no weight to scores outside of a window, and pays nothing for them, 24 seeds", () => {
  for (let trial = 0; trial < 24; trial++) {
    const [s, causal, scale, to] = cases[trial % cases.length]!;
    const window = [1, 3, 5, 200][trial % 4]!;
    const base = specOf(s, causal, scale, to);
    const spec = { ...base, attrs: { ...base.attrs, window } };
    const q = quantizeToGrid(reals(s.batch * s.heads * s.positions * s.depth, -2, 2, trial), 8);
    const k = quantizeToGrid(reals(s.batch * s.groups * s.columns * s.depth, -2, 2, trial + 50), 8);
    const v = quantizeToGrid(reals(s.batch * s.groups * s.columns * s.depth, -3, 3, trial + 90), 10);
    const outcome = execute(coarseMaxAttention, spec, [q, k, v], { trial });
    expect(outcome.metered).toEqual(outcome.counted);
    const back = (at: number): number => Math.floor(at / s.columns) + s.columns - s.positions - (at % s.columns);
    const outside = Float64Array.from({ length: s.positions * s.columns }, (_, at) => (back(at) < window ? 0 : -1e9));
    const exact = attend(s, causal, scale, q, k, v, outside);
    expect(worstUlps(outcome, exact)).toBeLessThanOrEqual(declaredUlps(coarseMaxAttention, spec));
  }
  const base = specOf(sizes(1, 2, 2, 16, 8, 16), true, 0.25, 12);
  const windowed = costOf(coarseMaxAttention, { ...base, attrs: { ...base.attrs, window: 4 } });
  // 58 scores of each head instead of 136, and one group of a maximum instead of two after each other.
  expect(windowed.rounds).toBe(3 * 1 + 7);
  expect(windowed.clientToServer / costOf(coarseMaxAttention, base).clientToServer).toBeLessThan(0.65);
});

it("adds a shared mask to the scores, in the units of the scores, at any scale, 20 seeds", () => {
  const s = sizes(1, 2, 1, 3, 4, 5);
  for (let trial = 0; trial < 20; trial++) {
    const to = [12, 8, 0, 4][trial % 4]!;
    const base = specOf(s, trial % 2 === 0, [1 / Math.LOG2E, 0.4][trial % 3] ?? 0.5, 12);
    const spec = { ...base, operands: [...base.operands, fixed([1, 1, 3, 5], to, -8, 2)] };
    const q = quantizeToGrid(reals(24, -2, 2, trial), 8);
    const k = quantizeToGrid(reals(20, -2, 2, trial + 50), 8);
    const v = quantizeToGrid(reals(20, -3, 3, trial + 90), 10);
    const mask = quantizeToGrid(reals(15, -8, 2, trial), to);
    const outcome = execute(coarseMaxAttention, spec, [q, k, v, mask], { trial });
    expect(outcome.metered).toEqual(outcome.counted);
    const exact = attend(s, spec.attrs.causal === true, Number(spec.attrs.scale), q, k, v, mask);
    expect(worstUlps(outcome, exact)).toBeLessThanOrEqual(declaredUlps(coarseMaxAttention, spec));
  }
});

it("adds a mask that everybody knows at the price of none, 20 seeds", () => {
  const s = sizes(1, 2, 1, 3, 4, 5);
  for (let trial = 0; trial < 20; trial++) {
    const base = specOf(s, trial % 2 === 0, [1 / Math.LOG2E, 0.4][trial % 3] ?? 0.5, 12);
    const spec = { ...base, operands: [...base.operands, fixed([1, 1, 3, 5], 12, -8, 2, 32)] };
    const [q, k, v] = [
      [24, 2, 8],
      [20, 2, 8],
      [20, 3, 10],
    ].map(([count, bound, to], at) => quantizeToGrid(reals(count!, -bound!, bound!, trial + 50 * at), to!));
    const mask = quantizeToGrid(reals(15, -8, 2, trial), 12);
    const outcome = execute(coarseMaxAttentionKnownMask, spec, [q!, k!, v!, mask], { trial });
    expect(outcome.metered).toEqual(outcome.counted);
    const exact = attend(s, spec.attrs.causal === true, Number(spec.attrs.scale), q!, k!, v!, mask);
    expect(worstUlps(outcome, exact)).toBeLessThanOrEqual(declaredUlps(coarseMaxAttentionKnownMask, spec));
    // The same scores, in a ring that holds the sum with the mask: neither rounds nor words more.
    const without = costOf(coarseMaxAttention, { ...base, attrs: { ...base.attrs, score_bound: 40 } });
    const known = costOf(coarseMaxAttentionKnownMask, {
      ...spec,
      attrs: { ...spec.attrs, score_bound: 40 - 8 * Math.LOG2E },
    });
    expect(known).toEqual(without);
  }
  expect(() => resolveWidths(coarseMaxAttentionKnownMask, specOf(s, true, 0.5, 12))).toThrow(/no mask/);
});

it("gives no weight to a score that a mask of −10⁴ takes away, 20 seeds", () => {
  const s = sizes(1, 2, 2, 4, 4, 4);
  const mask = Float64Array.of(0, -1e4, 0, -1e4);
  for (let trial = 0; trial < 20; trial++) {
    const base = specOf(s, trial % 2 === 0, 0.5, 12);
    const spec = { ...base, operands: [...base.operands, fixed([1, 1, 1, 4], 0, -1e4, 0)] };
    const [q, k, v] = [8, 8, 10].map((to, at) => quantizeToGrid(reals(32, -2, 2, trial + 50 * at), to));
    const outcome = execute(coarseMaxAttention, spec, [q!, k!, v!, mask], { trial });
    const rows = Float64Array.from({ length: 16 }, (_, at) => mask[at % 4]!);
    const exact = attend(s, spec.attrs.causal === true, 0.5, q!, k!, v!, rows);
    expect(worstUlps(outcome, exact)).toBeLessThanOrEqual(declaredUlps(coarseMaxAttention, spec));
  }
});

it("takes 3·⌈log4 columns⌉ + 7 rounds, and pays nothing for scores that the causal mask removes", () => {
  const s = sizes(1, 2, 2, 16, 8, 16);
  const causal = costOf(coarseMaxAttention, specOf(s, true, 0.25, 12));
  const full = costOf(coarseMaxAttention, specOf(s, false, 0.25, 12));
  expect([causal.rounds, full.rounds]).toEqual([3 * 2 + 7, 3 * 2 + 7]);
  expect(causal.clientToServer / full.clientToServer).toBeLessThan(0.65);
});

it("refuses what it cannot run", () => {
  const s = sizes(1, 2, 2, 4, 8, 4);
  const noBound = { ...specOf(s, true, 0.25, 12), attrs: { scale: 0.25, causal: true, score_bound: 0 } };
  expect(() => resolveWidths(coarseMaxAttention, noBound)).toThrow(/calibrate/);
  const wide = { ...noBound, attrs: { ...noBound.attrs, score_bound: 2 ** 18 } };
  expect(() => resolveWidths(coarseMaxAttention, wide)).toThrow(/at most 31/);
  expect(() => resolveWidths(coarseMaxAttention, specOf(s, true, 0.25, 12, 64))).toThrow(/at most 64/);
});
