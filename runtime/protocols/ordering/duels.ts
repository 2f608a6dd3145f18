import type { Party, Steps, Wire } from "../../core/index.ts";
import type { RingTensor, Shape } from "../../ring/index.ts";
import { add, addConstant, concat, gatherFlat, mul, mulConstant, sub } from "../../ring/index.ts";
import { openWire } from "../boundary/index.ts";
import { below, type Comparison } from "../comparison/index.ts";
import { at, difference, gate, mapWire, publicShare, resize, signed, stack } from "../kit/index.ts";

/** What tournaments, ranks and maxima of rows share: elements of an open wire that are compared pair by pair. */

/** Rows of positions in a flat list: which elements exist, by row. Public: it comes from shapes and masks. */
export type Rows = readonly (readonly number[])[];
/** Positions that meet at once, all groups of one size. */
export type Groups = readonly (readonly number[])[];

/** The rows of a flat tensor of this shape along axes (negative ones count from the end), in the order of what is left. */
export function rowsAlong(shape: Shape, axes: readonly number[]): Rows {
  const reduced = new Set(axes.map((axis) => (axis < 0 ? axis + shape.length : axis)));
  const offsets = (among: boolean): readonly number[] =>
    shape.reduce<readonly number[]>(
      (all, extent, axis) =>
        reduced.has(axis) === among
          ? all.flatMap((offset) => [...Array(extent).keys()].map((k) => offset * extent + k))
          : all.map((offset) => offset * extent),
      [0],
    );
  const inside = offsets(true);
  return offsets(false).map((start) => inside.map((offset) => start + offset));
}

/** A row in groups of at most `radix`. */
export const groupsOf = (row: readonly number[], radix: number): Groups =>
  [...Array(Math.ceil(row.length / radix)).keys()].map((k) => row.slice(k * radix, (k + 1) * radix));

/**
 * All pairs of each group compared: for member i the wires of "i is ahead of j", for every other j. With u_ij = 1{x_i < x_j}
 * for i < j, i is ahead of a later j if u_ij = 0 and of an earlier one if u_ji = 1: of equal ones the first is ahead.
 * Differences of open wires are free; the bits are opened. 2 rounds with digit tables.
 */
export function* duels(
  party: Party,
  pool: Wire,
  groups: Groups,
  comparison?: Comparison,
): Steps<readonly (readonly Wire[])[]> {
  const members = [...groups[0]!.keys()];
  const elements = members.map((i) => memberOf(pool, groups, i));
  const pairs = members.flatMap((i) => members.slice(i + 1).map((j) => [i, j] as const));
  const differences = pairs.map(([i, j]) => difference(elements[i]!, elements[j]!));
  const less = yield* below(party, stackWires(differences), [0], comparison);
  const bits = yield* openWire(party, at(less, 0));
  const bitOf = (i: number, j: number): Wire => {
    const pair = pairs.findIndex(([a, b]) => a === Math.min(i, j) && b === Math.max(i, j));
    const own = mapWire(bits, (t) => at(t, pair));
    return i < j ? { ...own, opened: addConstant(own.opened, 1) } : own;
  };
  return members.map((i) => members.filter((j) => j !== i).map((j) => bitOf(i, j)));
}

/** What a winner brings along: an open wire, or public integers, which have no mask. */
export interface Prize {
  readonly opened: RingTensor;
  readonly secret?: RingTensor;
}

/**
 * Share of Σ_i x_i·Π_j (α_ij ⊕ γ_ij) over the members of each group, in the prizes' own ring, where factors say who is
 * ahead of whom: exactly one product is 1. Each is expanded over the sets of factors whose γ is taken: public
 * coefficients, and shares of the products of γ with and without the mask of x_i. No traffic.
 */
export function winners(
  party: Party,
  prizes: Prize,
  groups: Groups,
  factors: readonly (readonly Wire[])[],
): RingTensor {
  const shares = factors.map((ahead, i) => winnerShare(party, prizeOf(prizes, groups, i), ahead));
  return shares.reduce(add);
}

function winnerShare(party: Party, { opened, secret }: Prize, factors: readonly Wire[]): RingTensor {
  const { width } = opened;
  const sets = [...Array(2 ** factors.length).keys()];
  const terms = sets.map((set) => {
    const taken = factors.filter((_, j) => (set >> j) & 1);
    const masks = taken.map((factor) => resize(factor.mask.secret, width));
    const product = masks.length === 0 ? undefined : masks.reduce(mul);
    const masked = secret && party.dealt(product ? mul(product, secret) : secret);
    const plain = product ? mul(opened, party.dealt(product)) : publicShare(party, opened);
    // The opened bits are public: choosing by them tells nothing.
    return factors.reduce(
      (term, factor, j) => ((set >> j) & 1 ? signed(factor.opened, term) : gate(factor.opened, term)),
      masked ? sub(plain, masked) : plain,
    );
  });
  return terms.reduce(add);
}

/** Elements at public positions. */
export const pick = (t: RingTensor, positions: readonly number[]): RingTensor =>
  gatherFlat(t, Int32Array.from(positions), [positions.length]);

export const take = (x: Wire, positions: readonly number[]): Wire => mapWire(x, (t) => pick(t, positions));

const memberOf = (pool: Wire, groups: Groups, i: number): Wire =>
  take(
    pool,
    groups.map((group) => group[i]!),
  );

const prizeOf = ({ opened, secret }: Prize, groups: Groups, i: number): Prize => {
  const positions = groups.map((group) => group[i]!);
  return { opened: pick(opened, positions), ...(secret && { secret: pick(secret, positions) }) };
};

/** The prizes with those of a wire behind them: public ones have the mask 0 from then on. */
export const joinPrizes = (x: Prize, { opened, mask }: Wire): Prize => ({
  opened: concat([x.opened, opened], 0),
  secret: concat([x.secret ?? mulConstant(x.opened, 0), mask.secret], 0),
});

/** Wires of one shape under each other: [count, …shape]. */
const stackWires = (wires: readonly Wire[]): Wire => ({
  kind: "wire",
  opened: stack(wires.map(({ opened }) => opened)),
  mask: { share: undefined, secret: stack(wires.map(({ mask }) => mask.secret)), fresh: false },
});
