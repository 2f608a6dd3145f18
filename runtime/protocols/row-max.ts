import type { Party, Wire } from "../party.ts";
import { parallel, type Steps } from "../steps.ts";
import type { Comparison } from "./comparison.ts";
import type { Spec } from "./define.ts";
import { duels, type Groups, groupsOf, join, type Rows, take, winners } from "./duels.ts";
import { openWire } from "./open.ts";

export type { Rows } from "./duels.ts";

/**
 * Elements that meet at once, by default. Every pair of a group is compared in the same round, so that a level costs 3
 * rounds whatever its radix: 4 takes half the levels of 2 for twice the comparisons, and 8 would deal 2^7 products per
 * element.
 */
const usualRadix = 4;

/** How many meet at once in an execution: its tuning `radix`. */
export const radixOf = ({ attrs }: Spec): number => Number(attrs.radix ?? usualRadix);
/** Radices that may be worth it: 2 deals least, 4 has the fewest rounds. */
export const radixVariants: readonly number[] = [2, 3, 4];

/** Levels of the tournament for a row of this length. */
export function levelsOf(length: number, radix = usualRadix): number {
  let levels = 0;
  for (let left = length; left > 1; left = Math.ceil(left / radix)) levels += 1;
  return levels;
}

/** One level of a tournament: who meets whom, and where the rows' elements are afterwards. */
export interface Level {
  /** Groups of two and more, by their sizes. */
  readonly bySize: readonly Groups[];
  /** Positions of each row's elements once the winners of `bySize`, in order, are joined behind a pool of `size`. */
  readonly left: Rows;
}

/** Winners join the pool behind it, in order of their groups' sizes; who is alone in its group stays where it is. */
export function levelOf(rows: Rows, size: number, radix: number): Level {
  const groups = rows.map((row) => groupsOf(row, radix));
  const sizes = [...Array(radix - 1).keys()].map((k) => k + 2);
  const bySize = sizes
    .map((members) => groups.flat().filter((group) => group.length === members))
    .filter((same) => same.length > 0);
  const places = new Map(bySize.flat().map((group, k) => [group, size + k]));
  return { bySize, left: groups.map((row) => row.map((group) => places.get(group) ?? group[0]!)) };
}

/**
 * Largest element of each row of a flat wire, as a wire [rows], by a tournament of groups (protocols.md 1.3, max):
 * differences of open wires are free, all pairs of a group are compared, the bits are opened, and the winners.
 * 3 rounds a level with comparisons of one; a row of one costs nothing.
 */
export function* rowMax(party: Party, x: Wire, rows: Rows, comparison?: Comparison, radix = usualRadix): Steps<Wire> {
  let pool = x;
  let left: Rows = rows;
  while (left.some((row) => row.length > 1)) {
    const level = levelOf(left, pool.opened.shape[0]!, radix);
    const risen = yield* parallel(...level.bySize.map((same) => groupMax(party, pool, same, comparison)));
    pool = risen.reduce(join, pool);
    left = level.left;
  }
  return take(
    pool,
    left.map(([only]) => only!),
  );
}

/** The largest of each group, groups of one size, as a fresh wire [groups]. 3 rounds with digit tables. */
function* groupMax(party: Party, pool: Wire, groups: Groups, comparison?: Comparison): Steps<Wire> {
  const factors = yield* duels(party, pool, groups, comparison);
  const prizes = { opened: pool.opened, secret: pool.mask.secret };
  // x + r is uniform as in every opening: the winners are shares like any others.
  return yield* openWire(party, winners(party, prizes, groups, factors));
}
