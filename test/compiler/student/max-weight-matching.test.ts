import fc from "fast-check";
import { expect, it } from "vitest";
import { maxWeightPairs } from "../../../compiler/student/max-weight-matching.ts";

type Weights = (i: number, j: number) => number | undefined;

/** Every perfect matching, one by one. */
function best(left: readonly number[], weight: Weights): number {
  const [first, ...rest] = left;
  if (first === undefined) return 0;
  return Math.max(
    ...rest.map((other) => {
      const own = weight(first, other);
      return own === undefined
        ? Number.NEGATIVE_INFINITY
        : own +
            best(
              rest.filter((each) => each !== other),
              weight,
            );
    }),
  );
}

const total = (pairs: readonly (readonly [number, number])[], weight: Weights): number =>
  pairs.reduce((sum, [i, j]) => sum + weight(i, j)!, 0);

it("is the best of all matchings of up to ten vertices", () => {
  const graphs = fc
    .integer({ min: 1, max: 5 })
    .chain((half) =>
      fc.array(fc.integer({ min: -30, max: 30 }), { minLength: 4 * half * half, maxLength: 4 * half * half }),
    );
  fc.assert(
    fc.property(graphs, (numbers) => {
      const count = Math.sqrt(numbers.length);
      const weight: Weights = (i, j) => numbers[Math.min(i, j) * count + Math.max(i, j)]!;
      const pairs = maxWeightPairs(count, weight);
      expect(pairs.flat().sort((a, b) => a - b)).toEqual([...Array(count).keys()]);
      expect(total(pairs, weight)).toBe(best([...Array(count).keys()], weight));
    }),
    { numRuns: 400 },
  );
});

it("is the best assignment where edges lead from one half to the other only", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: -9, max: 9 }), { minLength: 16, maxLength: 16 }), (numbers) => {
      const weight: Weights = (i, j) =>
        i < 4 === j < 4 ? undefined : numbers[Math.min(i, j) * 4 + Math.max(i, j) - 4]!;
      const pairs = maxWeightPairs(8, weight);
      expect(pairs).toHaveLength(4);
      expect(total(pairs, weight)).toBe(best([...Array(8).keys()], weight));
    }),
    { numRuns: 200 },
  );
});

it("finds the pairs that were hidden among 64", () => {
  const weight: Weights = (i, j) => (Math.floor(i / 2) === Math.floor(j / 2) ? 1 : Math.sin(i * j) / 2);
  expect(maxWeightPairs(64, weight)).toEqual(Array.from({ length: 32 }, (_, pair) => [2 * pair, 2 * pair + 1]));
});

it("refuses an odd number of vertices", () => {
  expect(() => maxWeightPairs(3, () => 1)).toThrow(RangeError);
});
