/** The side of a vertex or blossom in the forest of alternating trees: at an even or odd depth, or in no tree. */
export const sides = { even: 0, odd: 1, free: -1 } as const;

/**
 * The state of one search, changed in place. Vertices are 1 to n, blossoms n + 1 to 2n; 0 is none. Each array has an
 * entry per vertex and blossom.
 */
export interface Matching {
  readonly n: number;
  /** Weights of edges between vertices, [n + 1][n + 1]; 0 is no edge. */
  readonly weights: readonly Float64Array[];
  /** The edge of the graph that joins u and v, either of which may be a blossom: its ends. */
  readonly from: readonly Int32Array[];
  readonly to: readonly Int32Array[];
  /** partOf[b][v]: the part of blossom b that holds vertex v. */
  readonly partOf: readonly Int32Array[];
  readonly dual: Float64Array;
  readonly partner: Int32Array;
  /** The even vertex with the least slack to this one, of those in other blossoms. */
  readonly nearest: Int32Array;
  /** The outermost blossom that holds it. */
  readonly outer: Int32Array;
  readonly parent: Int32Array;
  readonly side: Int32Array;
  /** The search for a common ancestor that passed it last. */
  readonly seen: Int32Array;
  /** Parts of each blossom, in the order of its cycle. */
  readonly parts: (readonly number[])[];
  /** Even vertices whose edges are to be scanned. */
  queue: number[];
  /** The highest number of a blossom so far. */
  used: number;
  /** The number of searches for a common ancestor so far. */
  searches: number;
}

export function createMatching(n: number, weights: readonly Float64Array[]): Matching {
  const size = 2 * n + 1;
  const row = (): Int32Array => new Int32Array(size);
  const table = (): Int32Array[] => Array.from({ length: size }, row);
  const [from, to, partOf] = [table(), table(), table()] as const;
  const dual = new Float64Array(size);
  const outer = row();
  for (let u = 1; u <= n; u++) {
    outer[u] = u;
    partOf[u]![u] = u;
    dual[u] = Math.max(...weights.map((each) => Math.max(...each)));
    for (let v = 1; v <= n; v++) [from[u]![v], to[u]![v]] = [u, v];
  }
  return {
    n,
    weights,
    from,
    to,
    partOf,
    dual,
    partner: row(),
    nearest: row(),
    outer,
    parent: row(),
    side: row(),
    seen: row(),
    parts: Array.from({ length: size }, () => []),
    queue: [],
    used: n,
    searches: 0,
  };
}

/** By how much the dual variables exceed the weight of the edge between u and v; infinite without an edge. */
export function slackOf({ from, to, dual, weights }: Matching, u: number, v: number): number {
  const [a, b] = [from[u]![v]!, to[u]![v]!];
  return a === 0 ? Number.POSITIVE_INFINITY : dual[a]! + dual[b]! - 2 * weights[a]![b]!;
}

export const isEdge = ({ from, to, weights }: Matching, u: number, v: number): boolean =>
  from[u]![v] !== 0 && weights[from[u]![v]!]![to[u]![v]!]! > 0;

/** Whether a vertex or blossom is in no other blossom. */
export const isOutermost = ({ outer }: Matching, x: number): boolean => outer[x] === x;

/** Takes u as the nearest even vertex of x where it is nearer than the one so far. */
export function offerNearest(matching: Matching, u: number, x: number): void {
  const { nearest } = matching;
  if (!nearest[x] || slackOf(matching, u, x) < slackOf(matching, nearest[x], x)) nearest[x] = u;
}

export function findNearest(matching: Matching, x: number): void {
  const { n, nearest, outer, side } = matching;
  nearest[x] = 0;
  for (let u = 1; u <= n; u++) {
    if (isEdge(matching, u, x) && outer[u] !== x && side[outer[u]!] === sides.even) offerNearest(matching, u, x);
  }
}

/** Queues the vertices of x. */
export function enqueue(matching: Matching, x: number): void {
  if (x <= matching.n) matching.queue.push(x);
  else for (const part of matching.parts[x]!) enqueue(matching, part);
}

export function setOuter(matching: Matching, x: number, blossom: number): void {
  matching.outer[x] = blossom;
  if (x > matching.n) for (const part of matching.parts[x]!) setOuter(matching, part, blossom);
}
