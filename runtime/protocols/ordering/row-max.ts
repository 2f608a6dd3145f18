import { type MaskedValue, type Party, parallel, type Steps } from "../../core/index.ts";
import { reshape } from "../../ring/index.ts";
import { maskAndOpen } from "../boundary/index.ts";
import type { Comparison } from "../comparison/index.ts";
import { concatMasked, entryAt, mapMasked, type Spec } from "../kit/index.ts";
import { comparePairs, gatherAt, gatherMasked, selectWinners } from "./pairwise-comparison.ts";
import { rankRows } from "./rank.ts";
import {
  type GroupIndices,
  groupCount,
  lengthOfRow,
  longestRow,
  type RowIndices,
  rowCount,
  startsOf,
} from "./row-indices.ts";
import { entriesAtRanks, rankBits } from "./select-by-rank.ts";

/**
 * Default group size. All pairs of a group are compared in the same round, so a level costs 3 rounds whatever its
 * radix: radix 4 takes half the levels of radix 2 for twice the comparisons.
 */
const defaultRadix = 4;
/** Ranks decide larger groups, in 4 rounds: 8 members would need 2^7 dealt products per element. */
const maxPairwiseGroup = 4;

/** Group size of an execution: its tuning `radix`. */
export const radixOf = ({ attrs }: Spec): number => Number(attrs.radix ?? defaultRadix);
/** Radices to try: 2 needs the least from the dealer, 4 has the fewest rounds. */
export const radixVariants: readonly number[] = [2, 3, 4];
/**
 * Radices to try for row maxima: 16 has the fewest rounds in rows of 17 and more, for five times the comparisons of 4.
 */
export const maxRadixVariants: readonly number[] = [2, 3, 4, 8, 16];

/** Levels of the tournament for a row of this length. */
export function levelCount(length: number, radix = defaultRadix): number {
  let levels = 0;
  for (let left = length; left > 1; left = Math.ceil(left / radix)) levels += 1;
  return levels;
}

/** One level of a tournament: the groups that are compared, and the positions of the rows' elements afterwards. */
export interface TournamentLevel {
  /** Groups of two and more, by size. */
  readonly bySize: readonly GroupIndices[];
  /** Positions of each row's elements after the winners of `bySize`, in order, are appended to a pool of `size`. */
  readonly remaining: RowIndices;
}

/** Winners are appended to the pool, in order of their groups' sizes; a single element stays at its position. */
export function firstLevel(rows: RowIndices, size: number, radix: number): TournamentLevel {
  const { starts, positions } = rows;
  const count = rowCount(rows);
  const groupsOf = (row: number): number => Math.ceil(lengthOfRow(rows, row) / radix);
  const remaining = { starts: startsOf(count, groupsOf), positions: new Int32Array(0) };
  remaining.positions = new Int32Array(remaining.starts[count]!);
  /** All groups of a row have the radix' size, but for the last. */
  const visit = (group: (from: number, members: number, at: number) => void): void => {
    for (let row = 0; row < count; row++) {
      let at = remaining.starts[row]!;
      for (let from = starts[row]!; from < starts[row + 1]!; from += radix) {
        group(from, Math.min(radix, starts[row + 1]! - from), at++);
      }
    }
  };
  const counts = new Int32Array(radix + 1);
  visit((_, members) => counts[members]!++);
  const bySize = [...counts.keys()]
    .filter((members) => members > 1 && counts[members]! > 0)
    .map((members) => ({ size: members, positions: new Int32Array(members * counts[members]!) }));
  const groups = new Map(bySize.map((same) => [same.size, same]));
  /** The next group of each size among its own, and its winner in the pool. */
  const next = new Int32Array(radix + 1);
  const winners = new Int32Array(radix + 1);
  let pool = size;
  for (const { size: members } of bySize) {
    winners[members] = pool;
    pool += counts[members]!;
  }
  visit((from, members, at) => {
    const same = groups.get(members);
    if (!same) {
      remaining.positions[at] = positions[from]!;
      return;
    }
    const to = members * next[members]!++;
    for (let k = 0; k < members; k++) same.positions[to + k] = positions[from + k]!;
    remaining.positions[at] = winners[members]!++;
  });
  return { bySize, remaining };
}

const tournaments = new WeakMap<RowIndices, Map<string, readonly TournamentLevel[]>>();

/** All levels for rows in a list of `size` elements. Layers repeat, and so do their rows: computed once for each. */
function tournamentOf(rows: RowIndices, size: number, radix: number): readonly TournamentLevel[] {
  const known = tournaments.get(rows) ?? new Map<string, readonly TournamentLevel[]>();
  tournaments.set(rows, known);
  const key = `${size} ${radix}`;
  const levels = known.get(key) ?? allLevels(rows, size, radix);
  known.set(key, levels);
  return levels;
}

function allLevels(rows: RowIndices, size: number, radix: number): readonly TournamentLevel[] {
  const levels: TournamentLevel[] = [];
  let left = rows;
  let next = size;
  while (longestRow(left) > 1) {
    const level = firstLevel(left, next, radix);
    levels.push(level);
    left = level.remaining;
    next += level.bySize.reduce((sum, same) => sum + groupCount(same), 0);
  }
  return levels;
}

/**
 * Largest element of each row of a flat masked value, as a masked value [rows], by a tournament of groups (protocols.md
 * 1.3, max). Differences of masked values are free; all pairs of a group are compared, and the bits and the winners are
 * opened. 3 rounds a level with comparisons of one, 4 if a group has more than four members; a row of one costs
 * nothing.
 */
export function* rowMax(
  party: Party,
  x: MaskedValue,
  rows: RowIndices,
  comparison?: Comparison,
  radix = defaultRadix,
): Steps<MaskedValue> {
  const levels = tournamentOf(rows, x.opened.shape[0]!, radix);
  let pool = x;
  for (const level of levels) {
    const risen = yield* parallel(
      ...level.bySize.map((same) => {
        const decide = same.size > maxPairwiseGroup ? groupMaxByRank : groupMax;
        return decide(party, pool, same, comparison);
      }),
    );
    pool = risen.reduce((all, more) => concatMasked(all, more), pool);
  }
  const last = levels.at(-1)?.remaining ?? rows;
  return gatherMasked(pool, rowCount(last), () => last.positions);
}

/**
 * The largest of each group as the one of rank 0 (docs/protocols/ordering.md): it counts the winning bits instead of
 * multiplying them. 4 rounds with digit tables.
 */
function* groupMaxByRank(
  party: Party,
  pool: MaskedValue,
  groups: GroupIndices,
  comparison?: Comparison,
): Steps<MaskedValue> {
  const { size: length, positions } = groups;
  const members = mapMasked(pool, (t) =>
    reshape(
      gatherAt(t, positions.length, () => positions),
      [groupCount(groups), length],
    ),
  );
  // Ranks plus a uniform mask of their ring: safe to open.
  const order = yield* maskAndOpen(party, yield* rankRows(party, members, rankBits(length), comparison));
  const first = entryAt(entriesAtRanks(party, order, members, 1, pool.opened.width), 0);
  // x + r is uniform as in every opening.
  return yield* maskAndOpen(party, first);
}

/** The largest of each group, groups of one size, as a fresh masked value [groups]. 3 rounds with digit tables. */
function* groupMax(party: Party, pool: MaskedValue, groups: GroupIndices, comparison?: Comparison): Steps<MaskedValue> {
  const factors = yield* comparePairs(party, pool, groups, comparison);
  const payload = { opened: pool.opened, secret: pool.mask.secret };
  // x + r is uniform as in every opening: the winners are shares like any others.
  return yield* maskAndOpen(party, selectWinners(party, payload, groups, factors));
}
