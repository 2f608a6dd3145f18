import { augment, closeBlossom, commonAncestor, openBlossom } from "./blossoms.ts";
import { relaxDuals } from "./duals.ts";
import { enqueue, isEdge, isOutermost, type Matching, offerNearest, sides, slackOf } from "./state.ts";

/** One phase: grows trees from all unmatched vertices until two meet. False: no pair can be added. */
export function addPair(matching: Matching): boolean {
  startTrees(matching);
  if (matching.queue.length === 0) return false;
  for (;;) {
    if (scanQueue(matching)) return true;
    if (!relaxDuals(matching)) return false;
    matching.queue = [];
    if (takeTightEdges(matching)) return true;
    openEmptyBlossoms(matching);
  }
}

/** Every unmatched vertex or blossom is the root of a tree. */
function startTrees(matching: Matching): void {
  const { partner, nearest, parent, side, used } = matching;
  side.fill(sides.free);
  nearest.fill(0);
  matching.queue = [];
  for (let x = 1; x <= used; x++) {
    if (!isOutermost(matching, x) || partner[x]) continue;
    parent[x] = 0;
    side[x] = sides.even;
    enqueue(matching, x);
  }
}

/** Scans the edges of queued vertices. Returns whether two trees met. */
function scanQueue(matching: Matching): boolean {
  const { n, outer, queue, side } = matching;
  for (let u = queue.shift(); u !== undefined; u = queue.shift()) {
    if (side[outer[u]!] === sides.odd) continue;
    for (let v = 1; v <= n; v++) {
      if (!isEdge(matching, u, v) || outer[u] === outer[v]) continue;
      if (slackOf(matching, u, v) > 0) offerNearest(matching, u, outer[v]!);
      else if (takeEdge(matching, u, v)) return true;
    }
  }
  return false;
}

/** Takes the edges that have lost their slack. Returns whether two trees met. */
function takeTightEdges(matching: Matching): boolean {
  const { nearest, outer } = matching;
  for (let x = 1; x <= matching.used; x++) {
    const u = nearest[x]!;
    if (!isOutermost(matching, x) || !u || outer[u] === x) continue;
    if (slackOf(matching, u, x) === 0 && takeEdge(matching, u, x)) return true;
  }
  return false;
}

/** Takes an edge without slack: a tree grows, a blossom forms, or two trees meet (true). */
function takeEdge(matching: Matching, x: number, y: number): boolean {
  const { from, to, outer, parent, partner, nearest, side } = matching;
  const [a, b] = [from[x]![y]!, to[x]![y]!];
  const [u, v] = [outer[a]!, outer[b]!];
  if (side[v] === sides.free) {
    const mate = outer[partner[v]!]!;
    parent[v] = a;
    side[v] = sides.odd;
    nearest[v] = nearest[mate] = 0;
    side[mate] = sides.even;
    enqueue(matching, mate);
    return false;
  }
  if (side[v] !== sides.even) return false;
  const ancestor = commonAncestor(matching, u, v);
  if (ancestor) {
    closeBlossom(matching, u, ancestor, v);
    return false;
  }
  augment(matching, u, v);
  augment(matching, v, u);
  return true;
}

/** Dissolves odd blossoms whose dual variable has reached 0. */
function openEmptyBlossoms(matching: Matching): void {
  const { n, dual, side } = matching;
  for (let b = n + 1; b <= matching.used; b++) {
    if (isOutermost(matching, b) && side[b] === sides.odd && dual[b] === 0) openBlossom(matching, b);
  }
}
