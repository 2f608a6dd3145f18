import { expect, test } from "vitest";
import type { Interval } from "../../ir/type.ts";
import { estimateWrap } from "../../passes/4-quantize/index.ts";

/** Uniform in (0, 1), the same in every run. */
function createStream(): () => number {
  let state = 7;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state + 0.5) / 2 ** 32;
  };
}

const gumbel = (next: () => number, mu: number, beta: number): number => mu - beta * Math.log(-Math.log(next()));
const bounds = (most: number): ReadonlyMap<string, Interval> => new Map([["x", { lo: -most, hi: most }]]);
const none: ReadonlyMap<string, Interval> = new Map();

test("the probability is that of the distribution which the maxima come from", () => {
  const next = createStream();
  const peaks = Array.from({ length: 20_000 }, () => gumbel(next, 5, 0.5));
  const { probability, value, runs } = estimateWrap(new Map([["x", peaks]]), { ranges: bounds(8), proofs: none });
  const exact = 1 - Math.exp(-Math.exp(-(8 - 5) / 0.5));
  expect(probability / exact).toBeGreaterThan(0.85);
  expect(probability / exact).toBeLessThan(1.15);
  expect([value, runs]).toEqual(["x", 20_000]);
});

test("probabilities of several values add up, and the worst is named", () => {
  const peaks = new Map([
    ["x", [1, 2, 3]],
    ["y", [1, 2, 9]],
  ]);
  const ranges = new Map([...bounds(10), ["y", { lo: -10, hi: 10 }] as const]);
  const one = estimateWrap(new Map([["x", [1, 2, 3]]]), { ranges, proofs: none });
  const both = estimateWrap(peaks, { ranges, proofs: none });
  expect(both.probability).toBeGreaterThan(one.probability);
  expect(both.value).toBe("y");
});

test("a proven bound cannot be left, and equal maxima below a bound say nothing", () => {
  const peaks = new Map([["x", [7.9, 1, 4]]]);
  expect(estimateWrap(peaks, { ranges: bounds(8), proofs: bounds(8) }).probability).toBe(0);
  expect(estimateWrap(new Map([["x", [2, 2, 2]]]), { ranges: bounds(8), proofs: none }).probability).toBe(0);
});

test("far bounds have tiny probabilities, not zero by cancellation", () => {
  const { probability } = estimateWrap(new Map([["x", [1, 2, 3]]]), { ranges: bounds(40), proofs: none });
  expect(probability).toBeGreaterThan(0);
  expect(probability).toBeLessThan(1e-15);
});
