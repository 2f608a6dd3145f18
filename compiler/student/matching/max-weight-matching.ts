import { addPair } from "./search.ts";
import { createMatching } from "./state.ts";

type EdgeWeight = (i: number, j: number) => number | undefined;

/**
 * Pairs of vertices of a complete graph with the greatest sum of weights, exactly: Edmonds' blossoms with dual
 * variables in O(n³) (Galil, "Efficient algorithms for finding maximum matching in graphs", ACM Computing Surveys 18,
 * 1986). `weight(i, j)` is symmetric; an undefined one is no edge. The number of vertices is even. Pairs are sorted.
 * Throws a RangeError for an odd count.
 */
export function maxWeightPairs(count: number, weight: EdgeWeight): readonly (readonly [number, number])[] {
  if (count % 2 !== 0) throw new RangeError(`expected an even number of vertices to pair, found ${count}`);
  const partner = blossomMatching(count, integerWeights(count, weight));
  return partner.flatMap((j, i): (readonly [number, number])[] => (i < j ? [[i, j]] : []));
}

/**
 * Scales weights to integers, for which every step is exact: 2^30 steps over their range, offset above any sum of
 * gains.
 */
function integerWeights(count: number, weight: EdgeWeight): readonly Float64Array[] {
  const all: number[] = [];
  for (let i = 0; i < count; i++) for (let j = 0; j < i; j++) all.push(...[weight(i, j) ?? []].flat());
  const least = Math.min(...all);
  const step = (Math.max(...all) - least) / 2 ** 30 || 1;
  // One more pair outweighs everything else: the matching is perfect where one exists.
  const floor = 2 ** 31 * count;
  return Array.from({ length: count + 1 }, (_, i) =>
    Float64Array.from({ length: count + 1 }, (_unused, j) => {
      const w = i === 0 || j === 0 || i === j ? undefined : weight(i - 1, j - 1);
      return w === undefined ? 0 : 2 * (floor + Math.round((w - least) / step));
    }),
  );
}

/** The partner of each vertex, from 0; −1 for none. */
function blossomMatching(count: number, weights: readonly Float64Array[]): readonly number[] {
  const matching = createMatching(count, weights);
  while (addPair(matching)) {
    // Each phase adds one pair.
  }
  return Array.from({ length: count }, (_, vertex) => matching.partner[vertex + 1]! - 1);
}
