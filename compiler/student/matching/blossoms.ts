import { enqueue, findNearest, isEdge, type Matching, setOuter, sides, slackOf } from "./state.ts";

/** Position of a part on the even path around its blossom, whose cycle may turn round for it. */
function indexIn({ parts }: Matching, blossom: number, part: number): number {
  const own = parts[blossom]!;
  const index = own.indexOf(part);
  if (index % 2 === 0) return index;
  parts[blossom] = [own[0]!, ...own.slice(1).reverse()];
  return own.length - index;
}

/** Matches u with v, and the parts of u around its cycle. */
function setPartner(matching: Matching, u: number, v: number): void {
  const { n, from, to, partner, partOf, parts } = matching;
  partner[u] = to[u]![v]!;
  if (u <= n) return;
  const part = partOf[u]![from[u]![v]!]!;
  const index = indexIn(matching, u, part);
  for (let i = 0; i < index; i++) setPartner(matching, parts[u]![i]!, parts[u]![i ^ 1]!);
  setPartner(matching, part, v);
  parts[u] = [...parts[u]!.slice(index), ...parts[u]!.slice(0, index)];
}

/** Matches start with end, and flips the tree path from start to its root. */
export function augment(matching: Matching, start: number, end: number): void {
  const { outer, parent, partner } = matching;
  for (let [u, v] = [start, end]; ; ) {
    const next = outer[partner[u]!]!;
    setPartner(matching, u, v);
    if (!next) return;
    setPartner(matching, next, outer[parent[next]!]!);
    [u, v] = [outer[parent[next]!]!, next];
  }
}

/** The lowest common ancestor of two even vertices; 0: they are in different trees. */
export function commonAncestor(matching: Matching, start: number, end: number): number {
  const { outer, parent, partner, seen } = matching;
  matching.searches++;
  for (let [u, v] = [start, end]; u || v; [u, v] = [v, u]) {
    if (!u) continue;
    if (seen[u] === matching.searches) return u;
    seen[u] = matching.searches;
    u = outer[partner[u]!]!;
    if (u) u = outer[parent[u]!]!;
  }
  return 0;
}

/** Makes one blossom of the cycle that the edge between u and v closes at their common ancestor. */
export function closeBlossom(matching: Matching, u: number, ancestor: number, v: number): void {
  const { n, outer, dual, side, partner, parts } = matching;
  let b = n + 1;
  while (b <= matching.used && outer[b]) b++;
  matching.used = Math.max(matching.used, b);
  dual[b] = 0;
  side[b] = sides.even;
  partner[b] = partner[ancestor]!;
  parts[b] = [ancestor, ...pathToAncestor(matching, u, ancestor).reverse(), ...pathToAncestor(matching, v, ancestor)];
  setOuter(matching, b, b);
  joinEdges(matching, b);
  findNearest(matching, b);
}

/** The path from a vertex up to its ancestor, exclusive. Its odd vertices become even, so they are queued. */
function pathToAncestor(matching: Matching, start: number, ancestor: number): number[] {
  const { outer, parent, partner } = matching;
  const path: number[] = [];
  for (let x = start; x !== ancestor; ) {
    const mate = outer[partner[x]!]!;
    path.push(x, mate);
    enqueue(matching, mate);
    x = outer[parent[mate]!]!;
  }
  return path;
}

/** Gives a new blossom the edge of least slack among its parts to each other vertex. */
function joinEdges(matching: Matching, b: number): void {
  const { n, used, from, to, partOf, parts } = matching;
  for (let x = 1; x <= used; x++) from[b]![x] = to[b]![x] = from[x]![b] = to[x]![b] = 0;
  partOf[b]!.fill(0);
  for (const part of parts[b]!) {
    for (let x = 1; x <= used; x++) {
      if (!isEdge(matching, part, x)) continue;
      if (isEdge(matching, b, x) && slackOf(matching, part, x) >= slackOf(matching, b, x)) continue;
      [from[b]![x], to[b]![x]] = [from[part]![x]!, to[part]![x]!];
      [from[x]![b], to[x]![b]] = [from[x]![part]!, to[x]![part]!];
    }
    for (let x = 1; x <= n; x++) if (partOf[part]![x]) partOf[b]![x] = part;
  }
}

/** Dissolves an odd blossom: the even path from its entry to its base stays in the tree, the rest becomes free. */
export function openBlossom(matching: Matching, b: number): void {
  const { from, nearest, outer, parent, partOf, parts, side } = matching;
  for (const part of parts[b]!) setOuter(matching, part, part);
  const entry = partOf[b]![from[b]![parent[b]!]!]!;
  const index = indexIn(matching, b, entry);
  for (let i = 0; i < index; i += 2) {
    const [x, y] = [parts[b]![i]!, parts[b]![i + 1]!];
    parent[x] = from[y]![x]!;
    side[x] = sides.odd;
    side[y] = sides.even;
    nearest[x] = 0;
    findNearest(matching, y);
    enqueue(matching, y);
  }
  side[entry] = sides.odd;
  parent[entry] = parent[b]!;
  for (const x of parts[b]!.slice(index + 1)) {
    side[x] = sides.free;
    findNearest(matching, x);
  }
  outer[b] = 0;
}
