import { isOutermost, type Matching, sides, slackOf } from "./state.ts";

/** Changes the dual variables until an edge has no slack; false: no more vertex can be matched. */
export function relaxDuals(matching: Matching): boolean {
  const { n, used, dual, outer, side } = matching;
  const step = relaxStep(matching);
  for (let u = 1; u <= n; u++) {
    const own = side[outer[u]!];
    if (own === sides.even && dual[u]! <= step) return false;
    dual[u] = dual[u]! + (own === sides.even ? -step : own === sides.odd ? step : 0);
  }
  for (let b = n + 1; b <= used; b++) {
    if (isOutermost(matching, b) && side[b] !== sides.free)
      dual[b] = dual[b]! + (side[b] === sides.even ? 2 : -2) * step;
  }
  return true;
}

/** The largest change that keeps every slack, and the dual of every blossom, at 0 or more. */
function relaxStep(matching: Matching): number {
  const { n, used, dual, nearest, side } = matching;
  let step = Number.POSITIVE_INFINITY;
  for (let x = 1; x <= used; x++) {
    if (!isOutermost(matching, x)) continue;
    if (x > n && side[x] === sides.odd) step = Math.min(step, dual[x]! / 2);
    if (nearest[x] && side[x] !== sides.odd) {
      step = Math.min(step, slackOf(matching, nearest[x]!, x) / (side[x] === sides.even ? 2 : 1));
    }
  }
  return step;
}
