import type { Party, Wire } from "../party.ts";
import { add, addConstant, concat, gatherFlat, mul, reshape, sub } from "../ring/index.ts";
import type { RingTensor } from "../ring/tensor.ts";
import { parallel, type Steps } from "../steps.ts";
import { at, below } from "./comparison.ts";
import { openWire } from "./open.ts";
import { difference, gate, mapWire, publicShare, resize, signed } from "./wires.ts";

/** Rows of positions in a flat list: which scores exist, by row. Public: it comes from shapes and the causal mask. */
export type Rows = readonly (readonly number[])[];

/**
 * Elements that meet at once. Every pair of a group is compared in the same round, so that a level costs 3 rounds
 * whatever its radix: 4 takes half the levels of 2 for twice the comparisons, and 8 would deal 2^7 products per element.
 */
export const radix = 4;

/** Levels of the tournament for a row of this length. */
export function levelsOf(length: number): number {
  let levels = 0;
  for (let left = length; left > 1; left = Math.ceil(left / radix)) levels += 1;
  return levels;
}

/**
 * Largest element of each row of a flat wire, as a wire [rows], by a tournament of groups (protocols.md 1.3, max):
 * differences of open wires are free, all pairs of a group are compared, the bits are opened, and the winners.
 * 3 rounds a level; a row of one costs nothing.
 */
export function* rowMax(party: Party, x: Wire, rows: Rows): Steps<Wire> {
  let pool = x;
  let left: Rows = rows;
  while (left.some((row) => row.length > 1)) {
    const sizes = [...Array(radix - 1).keys()].map((k) => k + 2);
    const groups = left.map(groupsOf);
    const bySize = sizes.map((size) => groups.flat().filter((group) => group.length === size));
    const winners = yield* parallel(
      ...bySize.filter((same) => same.length > 0).map((same) => groupMax(party, pool, same)),
    );
    // Winners join the pool behind it, in order of their groups' sizes; who is alone in its group stays where it is.
    const places = new Map<readonly number[], number>();
    let next = pool.opened.shape[0]!;
    for (const group of bySize.flat()) places.set(group, next++);
    pool = winners.reduce(join, pool);
    left = groups.map((row) => row.map((group) => places.get(group) ?? group[0]!));
  }
  return take(
    pool,
    left.map(([only]) => only!),
  );
}

const groupsOf = (row: readonly number[]): readonly (readonly number[])[] =>
  [...Array(Math.ceil(row.length / radix)).keys()].map((k) => row.slice(k * radix, (k + 1) * radix));

/**
 * The largest of each group, groups of one size q, as a fresh wire [groups]. With u_ij = 1{x_i < x_j} for i < j, element
 * i wins if u_ij = 0 for all later and u_ji = 1 for all earlier j: of equal ones the first, so exactly one wins. Each
 * factor is α ⊕ γ, α opened and γ the dealer's, and Σ_i x_i·Π_j (α_j ⊕ γ_j) is expanded over the sets of factors whose γ
 * is taken: public coefficients, and shares of the products of γ with and without the mask of x_i. 3 rounds.
 */
function* groupMax(party: Party, pool: Wire, groups: readonly (readonly number[])[]): Steps<Wire> {
  const width = pool.opened.width;
  const members = [...groups[0]!.keys()];
  const member = (i: number): Wire =>
    take(
      pool,
      groups.map((group) => group[i]!),
    );
  const elements = members.map(member);
  const pairs = members.flatMap((i) => members.slice(i + 1).map((j) => [i, j] as const));
  const differences = pairs.map(([i, j]) => difference(elements[i]!, elements[j]!));
  const less = yield* below(party, stack(differences), [0]);
  const bits = yield* openWire(party, at(less, 0));
  const bitOf = (i: number, j: number): Wire => {
    const pair = pairs.findIndex(([a, b]) => a === Math.min(i, j) && b === Math.max(i, j));
    const own = mapWire(bits, (t) => at(t, pair));
    // i < j: i is ahead where x_i < x_j does not hold.
    return i < j ? { ...own, opened: addConstant(own.opened, 1) } : own;
  };
  const shares = members.map((i) => {
    const factors = members.filter((j) => j !== i).map((j) => bitOf(i, j));
    return winnerShare(party, elements[i]!, factors, width);
  });
  // x + r is uniform as in every opening: the winners are shares like any others.
  return yield* openWire(party, shares.reduce(add));
}

/** Share of x·Π (α_j ⊕ γ_j) in the wire's own ring, where x = x̂ − r. */
function winnerShare(party: Party, x: Wire, factors: readonly Wire[], width: number): RingTensor {
  const sets = [...Array(2 ** factors.length).keys()];
  const terms = sets.map((set) => {
    const taken = factors.filter((_, j) => (set >> j) & 1);
    const masks = taken.map((factor) => resize(factor.mask.secret, width));
    const product = masks.length === 0 ? undefined : masks.reduce(mul);
    const masked = party.dealt(product ? mul(product, x.mask.secret) : x.mask.secret);
    const plain = product ? mul(x.opened, party.dealt(product)) : publicShare(party, x.opened);
    // The opened bits are public: choosing by them tells nothing.
    return factors.reduce(
      (term, { opened }, j) => ((set >> j) & 1 ? signed(opened, term) : gate(opened, term)),
      sub(plain, masked),
    );
  });
  return terms.reduce(add);
}

/** Wires of one shape under each other: [count, …shape]. */
const stack = (wires: readonly Wire[]): Wire => {
  const under = (tensors: readonly RingTensor[]): RingTensor =>
    concat(
      tensors.map((t) => reshape(t, [1, ...t.shape])),
      0,
    );
  return {
    kind: "wire",
    opened: under(wires.map(({ opened }) => opened)),
    mask: { share: undefined, secret: under(wires.map(({ mask }) => mask.secret)), fresh: false },
  };
};

export const take = (x: Wire, positions: readonly number[]): Wire =>
  mapWire(x, (t) => gatherFlat(t, Int32Array.from(positions), [positions.length]));

const join = (x: Wire, y: Wire): Wire => ({
  kind: "wire",
  opened: concat([x.opened, y.opened], 0),
  mask: {
    share: x.mask.share && y.mask.share && concat([x.mask.share, y.mask.share], 0),
    secret: concat([x.mask.secret, y.mask.secret], 0),
    fresh: false,
  },
});
