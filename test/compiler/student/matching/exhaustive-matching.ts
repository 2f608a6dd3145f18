/** The weight of an edge; undefined: there is none. */
export type EdgeWeight = (i: number, j: number) => number | undefined;

/** The greatest weight of a perfect matching of these vertices: every one is tried. */
export function bestMatchingWeight(vertices: readonly number[], weight: EdgeWeight): number {
  const [first, ...rest] = vertices;
  if (first === undefined) return 0;
  return Math.max(
    ...rest.map((other) => {
      const own = weight(first, other);
      if (own === undefined) return Number.NEGATIVE_INFINITY;
      const left = rest.filter((each) => each !== other);
      return own + bestMatchingWeight(left, weight);
    }),
  );
}
