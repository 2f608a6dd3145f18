import type { Party, Wire } from "../party.ts";
import { add, concat, gatherFlat, sub } from "../ring/index.ts";
import type { Steps } from "../steps.ts";
import { at, below } from "./comparison.ts";
import { openWire } from "./open.ts";
import { select } from "./products.ts";
import { difference, mapWire, maskShare, publicShare } from "./wires.ts";

/** Rows of positions in a flat list: which scores exist, by row. Public: it comes from shapes and the causal mask. */
export type Rows = readonly (readonly number[])[];

/**
 * Largest element of each row of a flat wire, as a wire [rows], by a tournament: every level compares pairs of open
 * wires (differences are free), opens the comparison bits and then the winners. 3 rounds a level, ⌈log2 longest⌉
 * levels; a row of one costs nothing (protocols.md 1.3, max).
 */
export function* rowMax(party: Party, x: Wire, rows: Rows): Steps<Wire> {
  const width = x.opened.width;
  let pool = x;
  let left: Rows = rows;
  while (left.some((row) => row.length > 1)) {
    const pairs = left.flatMap((row) =>
      [...Array(row.length >> 1).keys()].map((k) => [row[2 * k]!, row[2 * k + 1]!] as const),
    );
    const first = take(
      pool,
      pairs.map(([a]) => a),
    );
    const second = take(
      pool,
      pairs.map(([, b]) => b),
    );
    const less = yield* below(party, difference(first, second), [0]);
    const bits = yield* openWire(party, at(less, 0));
    const raised = select(party, bits, difference(second, first), width);
    const winners = yield* openWire(party, add(valueShare(party, first), raised));
    // Winners join the pool behind it; a row's odd element stays where it is.
    const start = pool.opened.shape[0]!;
    pool = join(pool, winners);
    let next = start;
    left = left.map((row) => {
      const won = [...Array(row.length >> 1).keys()].map(() => next++);
      return row.length % 2 === 1 ? [...won, row[row.length - 1]!] : won;
    });
  }
  return take(
    pool,
    left.map(([only]) => only!),
  );
}

/** The wire's value as shares in its own ring. */
const valueShare = (party: Party, x: Wire): Wire["opened"] =>
  sub(publicShare(party, x.opened), maskShare(party, x.mask, x.opened.width));

export const take = (x: Wire, positions: readonly number[]): Wire =>
  mapWire(x, (t) => gatherFlat(t, Int32Array.from(positions), [positions.length]));

const join = (x: Wire, y: Wire): Wire => ({
  kind: "wire",
  opened: concat([x.opened, y.opened], 0),
  mask: { share: undefined, secret: concat([x.mask.secret, y.mask.secret], 0), fresh: false },
});
