import { maxWeightPairs } from "./matching/index.ts";

export const groupings = ["adjacent", "similarity"] as const;
export type Grouping = (typeof groupings)[number];

/** An order in which heads that merge are neighbours: new index → head of the model. */
export interface HeadOrder {
  /** Key heads. */
  readonly keys: readonly number[];
  readonly queries: readonly number[];
}

export const identityOrder = (heads: number, groups: number): HeadOrder => ({
  keys: [...Array(groups).keys()],
  queries: [...Array(heads).keys()],
});

/** Key heads to merge, with their queries: `queries[r]` are the heads of one merged head. */
interface HeadGroup {
  readonly keys: readonly number[];
  readonly queries: readonly (readonly number[])[];
}

/**
 * Groups of `size` (a power of two) by the best matching of pairs, then of pairs of pairs: a merged head scores with A₁
 * + A₂, so similarities add up. Where several queries share keys, key heads are matched, and the similarity of two is
 * that of the best pairing of their queries. Pairs are optimal; groups of four are the best pairs of best pairs.
 */
export function orderBySimilarity(
  heads: number,
  groups: number,
  size: number,
  scores: readonly Float64Array[],
): HeadOrder {
  const per = heads / groups;
  let units = Array.from({ length: groups }, (_, group): HeadGroup => {
    return { keys: [group], queries: Array.from({ length: per }, (_unused, r) => [group * per + r]) };
  });
  for (let merged = 1; merged < size; merged *= 2) {
    const pairs = new Map<string, HeadGroup & { readonly score: number }>();
    const pairOf = (i: number, j: number): HeadGroup & { readonly score: number } => {
      const key = `${Math.min(i, j)} ${Math.max(i, j)}`;
      const made = pairs.get(key) ?? mergeGroups(units[Math.min(i, j)]!, units[Math.max(i, j)]!, scores);
      pairs.set(key, made);
      return made;
    };
    units = maxWeightPairs(units.length, (i, j) => pairOf(i, j).score).map(([i, j]) => pairOf(i, j));
  }
  return {
    keys: units.flatMap(({ keys }) => keys),
    // Index (key head, its r-th query): the r-th query of each.
    queries: units.flatMap(({ keys, queries }) => keys.flatMap((_, j) => queries.map((members) => members[j]!))),
  };
}

function mergeGroups(
  a: HeadGroup,
  b: HeadGroup,
  scores: readonly Float64Array[],
): HeadGroup & { readonly score: number } {
  const per = a.queries.length;
  const likeness = (left: readonly number[], right: readonly number[]): number =>
    left.reduce((sum, i) => sum + right.reduce((part, j) => part + scores[i]![j]!, 0), 0);
  const sides = [...a.queries, ...b.queries];
  const pairs = maxWeightPairs(2 * per, (i, j) => (i < per === j < per ? undefined : likeness(sides[i]!, sides[j]!)));
  const queries = pairs.map(([i, j]) => [...sides[i]!, ...sides[j]!]);
  const score = pairs.reduce((sum, [i, j]) => sum + likeness(sides[i]!, sides[j]!), 0);
  return { keys: [...a.keys, ...b.keys], queries, score };
}

/** Heads of the model in each merged head, in an order. */
export function mergedHeads({ keys, queries }: HeadOrder, size: number): readonly (readonly number[])[] {
  const per = queries.length / keys.length;
  return Array.from({ length: queries.length / size }, (_, head) => {
    const [group, r] = [Math.floor(head / per), head % per];
    return Array.from({ length: size }, (_unused, j) => queries[(group * size + j) * per + r]!);
  });
}

/**
 * The heads that remain when all but one in `size` are pruned: key heads with all their queries, those of the greatest
 * weight, in model order.
 */
export function strongestHeads(heads: number, groups: number, size: number, weights: readonly number[]): HeadOrder {
  const per = heads / groups;
  const sums = Array.from({ length: groups }, (_, group) =>
    weights.slice(group * per, (group + 1) * per).reduce((sum, weight) => sum + weight, 0),
  );
  const keys = [...sums.keys()]
    .sort((a, b) => sums[b]! - sums[a]! || a - b)
    .slice(0, groups / size)
    .sort((a, b) => a - b);
  return { keys, queries: keys.flatMap((group) => Array.from({ length: per }, (_, r) => group * per + r)) };
}
