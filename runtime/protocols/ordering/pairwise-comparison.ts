import type { MaskedValue, Party, Steps } from "../../core/index.ts";
import { add, addConstant, concat, gatherFlat, mul, mulConstant, type RingTensor, sub } from "../../ring/index.ts";
import { maskAndOpen } from "../boundary/index.ts";
import { belowThresholds, type Comparison } from "../comparison/index.ts";
import { entryAt, gateByBit, mapMasked, negateByBit, publicShare, resizeRing, stack, subMasked } from "../kit/index.ts";
import { type GroupIndices, groupCount, membersOf } from "./row-indices.ts";

/** Shared parts of tournaments, ranks and row maxima: elements of a masked value that are compared pair by pair. */

/**
 * Compares all pairs of each group. For member i it returns the masked bits "i is ahead of j", for every other j. With
 * u_ij = 1{x_i < x_j} for i < j, i is ahead of a later j if u_ij = 0 and of an earlier j if u_ji = 1: of equal elements
 * the first is ahead. Differences of masked values are free; the bits are opened. 2 rounds with digit tables.
 */
export function* comparePairs(
  party: Party,
  pool: MaskedValue,
  groups: GroupIndices,
  comparison?: Comparison,
): Steps<readonly (readonly MaskedValue[])[]> {
  const members = [...Array(groups.size).keys()];
  const elements = members.map((i) => memberValues(pool, groups, i));
  const pairs = members.flatMap((i) => members.slice(i + 1).map((j) => [i, j] as const));
  const differences = pairs.map(([i, j]) => subMasked(elements[i]!, elements[j]!));
  const less = yield* belowThresholds(party, stackMasked(differences), [0], comparison);
  const bits = yield* maskAndOpen(party, entryAt(less, 0));
  const bitOf = (i: number, j: number): MaskedValue => {
    const pair = pairs.findIndex(([a, b]) => a === Math.min(i, j) && b === Math.max(i, j));
    const own = mapMasked(bits, (t) => entryAt(t, pair));
    return i < j ? { ...own, opened: addConstant(own.opened, 1) } : own;
  };
  return members.map((i) => members.filter((j) => j !== i).map((j) => bitOf(i, j)));
}

/** What is selected together with a winner: a masked value, or public integers, which have no mask. */
export interface Payload {
  readonly opened: RingTensor;
  readonly secret?: RingTensor;
}

/**
 * Share of Σ_i x_i·Π_j (α_ij ⊕ γ_ij) over the members of each group, in the payload's own ring. The factors say which
 * member is ahead of which: exactly one product is 1. Each product is expanded over the subsets of its γ: public
 * coefficients, and shares of the products of γ with and without the mask of x_i. No traffic.
 */
export function selectWinners(
  party: Party,
  payload: Payload,
  groups: GroupIndices,
  factors: readonly (readonly MaskedValue[])[],
): RingTensor {
  const shares = factors.map((ahead, i) => winnerShare(party, payloadOf(payload, groups, i), ahead));
  return shares.reduce(add);
}

function winnerShare(party: Party, { opened, secret }: Payload, factors: readonly MaskedValue[]): RingTensor {
  const { width } = opened;
  const sets = [...Array(2 ** factors.length).keys()];
  const terms = sets.map((set) => {
    const taken = factors.filter((_, j) => (set >> j) & 1);
    const masks = taken.map((factor) => resizeRing(factor.mask.secret, width));
    const product = masks.length === 0 ? undefined : masks.reduce(mul);
    const masked = secret && party.dealt(product ? mul(product, secret) : secret);
    const plain = product ? mul(opened, party.dealt(product)) : publicShare(party, opened);
    // The opened bits are public: selecting by them reveals nothing.
    return factors.reduce(
      (term, factor, j) => ((set >> j) & 1 ? negateByBit(factor.opened, term) : gateByBit(factor.opened, term)),
      masked ? sub(plain, masked) : plain,
    );
  });
  return terms.reduce(add);
}

/** Elements at `count` public positions, which are laid out only where there are elements. */
export const gatherAt = (t: RingTensor, count: number, positions: () => Int32Array): RingTensor =>
  gatherFlat(t, positions, [count]);

export const gatherMasked = (x: MaskedValue, count: number, positions: () => Int32Array): MaskedValue =>
  mapMasked(x, (t) => gatherAt(t, count, positions));

const memberValues = (pool: MaskedValue, groups: GroupIndices, i: number): MaskedValue =>
  gatherMasked(pool, groupCount(groups), () => membersOf(groups, i));

function payloadOf({ opened, secret }: Payload, groups: GroupIndices, i: number): Payload {
  const at = (t: RingTensor): RingTensor => gatherAt(t, groupCount(groups), () => membersOf(groups, i));
  return { opened: at(opened), ...(secret && { secret: at(secret) }) };
}

/** Appends a masked value to a payload; public integers get the mask 0. */
export const appendPayload = (x: Payload, { opened, mask }: MaskedValue): Payload => ({
  opened: concat([x.opened, opened], 0),
  secret: concat([x.secret ?? mulConstant(x.opened, 0), mask.secret], 0),
});

/** Masked values of one shape along a new first axis: [count, …shape]. */
const stackMasked = (values: readonly MaskedValue[]): MaskedValue => ({
  kind: "masked",
  opened: stack(values.map(({ opened }) => opened)),
  mask: { share: undefined, secret: stack(values.map(({ mask }) => mask.secret)), fresh: false },
});
