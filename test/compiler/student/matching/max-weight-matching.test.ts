import fc from "fast-check";
import { expect, it } from "vitest";
import { maxWeightPairs } from "../../../../compiler/student/matching/max-weight-matching.ts";
import { bestMatchingWeight, type EdgeWeight } from "./exhaustive-matching.ts";

const total = (pairs: readonly (readonly [number, number])[], weight: EdgeWeight): number =>
  pairs.reduce((sum, [i, j]) => sum + weight(i, j)!, 0);

it("finds the best of all matchings of up to ten vertices", () => {
  const graphs = fc
    .integer({ min: 1, max: 5 })
    .chain((half) =>
      fc.array(fc.integer({ min: -30, max: 30 }), { minLength: 4 * half * half, maxLength: 4 * half * half }),
    );
  fc.assert(
    fc.property(graphs, (numbers) => {
      const count = Math.sqrt(numbers.length);
      const weight: EdgeWeight = (i, j) => numbers[Math.min(i, j) * count + Math.max(i, j)]!;
      const pairs = maxWeightPairs(count, weight);
      expect(pairs.flat().sort((a, b) => a - b)).toEqual([...Array(count).keys()]);
      expect(total(pairs, weight)).toBe(bestMatchingWeight([...Array(count).keys()], weight));
    }),
    { numRuns: 400 },
  );
});

it("finds the best assignment where edges only join the two halves", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: -9, max: 9 }), { minLength: 16, maxLength: 16 }), (numbers) => {
      const weight: EdgeWeight = (i, j) =>
        i < 4 === j < 4 ? undefined : numbers[Math.min(i, j) * 4 + Math.max(i, j) - 4]!;
      const pairs = maxWeightPairs(8, weight);
      expect(pairs).toHaveLength(4);
      expect(total(pairs, weight)).toBe(bestMatchingWeight([...Array(8).keys()], weight));
    }),
    { numRuns: 200 },
  );
});

it("finds the pairs that were hidden among 64", () => {
  const weight: EdgeWeight = (i, j) => (Math.floor(i / 2) === Math.floor(j / 2) ? 1 : Math.sin(i * j) / 2);
  expect(maxWeightPairs(64, weight)).toEqual(Array.from({ length: 32 }, (_, pair) => [2 * pair, 2 * pair + 1]));
});

it("refuses an odd number of vertices", () => {
  expect(() => maxWeightPairs(3, () => 1)).toThrow(RangeError);
});
