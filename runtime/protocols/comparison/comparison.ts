import type { MaskedValue, Party, Steps } from "../../core/index.ts";
import { add, addConstant, concat, msb, narrow, type RingTensor, reshape } from "../../ring/index.ts";
import { publicShare, type Spec } from "../kit/index.ts";
import { digitsBelowMask, maxDigitComparisonBits } from "./comparison-digits.ts";
import { dpfBelowMask } from "./comparison-dpf.ts";
import { treeBelowMask } from "./comparison-tree.ts";

interface ComparisonMethod {
  /**
   * XOR shares of 1{X < r} for T public values X [T, …shape] of each element and a mask r [...shape] that the dealer
   * knows.
   */
  readonly belowMask: (party: Party, opened: RingTensor, secret: RingTensor, digit?: number) => Steps<RingTensor>;
  /** Most bits that the method compares. */
  readonly maxBits: (digit?: number) => number;
}

/** The methods to compare a public value with a mask that the dealer knows; all are exact. */
const methods = {
  digits: { belowMask: digitsBelowMask, maxBits: maxDigitComparisonBits },
  tree: { belowMask: treeBelowMask, maxBits: () => 63 },
  dpf: { belowMask: dpfBelowMask, maxBits: () => 63 },
} as const satisfies Record<string, ComparisonMethod>;

/** A method and, if it has digits, the bits of a digit; without them the width determines the digits. */
export interface Comparison {
  readonly method: keyof typeof methods;
  readonly digit?: number;
}

const defaultComparison: Comparison = { method: "digits" };

/**
 * The comparison of an execution, from its tunings `comparison` and `digit`. @throws RangeError for an unknown method.
 */
export function comparisonOf({ attrs }: Spec): Comparison {
  const { comparison = "digits", digit } = attrs;
  if (!isMethod(comparison)) {
    throw new RangeError(`unknown comparison ${comparison}: use one of ${Object.keys(methods).join(", ")}`);
  }
  return digit === undefined ? { method: comparison } : { method: comparison, digit: Number(digit) };
}

const isMethod = (name: unknown): name is Comparison["method"] => Object.keys(methods).includes(String(name));

/** Reason why a masked value of this many bits cannot be compared, for `refuses`. */
export function comparisonRefusal(bits: number, { method, digit }: Comparison = defaultComparison): string | undefined {
  const widest = methods[method].maxBits(digit) + 1;
  return bits > widest
    ? `its masked value needs a ring of ${bits} bits, comparisons take at most ${widest} (${method})`
    : undefined;
}

/** Tunings to try for masked values of this many bits, as attributes. */
export const comparisonVariants = (bits: number): readonly Spec["attrs"][] => [
  ...[3, 4, 5, 6]
    .filter((digit) => bits - 1 <= maxDigitComparisonBits(digit))
    .map((digit) => ({ comparison: "digits", digit })),
  { comparison: "tree" },
  { comparison: "dpf" },
];

/** XOR shares of 1{X < r}, [T, …shape], for T public values X of each element and a mask r that the dealer knows. */
export function* belowMask(
  party: Party,
  opened: RingTensor,
  secret: RingTensor,
  { method, digit }: Comparison = defaultComparison,
): Steps<RingTensor> {
  return yield* methods[method].belowMask(party, opened, secret, digit);
}

/**
 * XOR shares of 1{x < t} for each public threshold t (raw integers), [T, …shape], from a masked value with |x − t| in
 * the signed range: msb(x − t) = msb(x̂ − t) ⊕ msb(r) ⊕ 1{low bits of x̂ − t < low bits of r}. The method gives the
 * rounds.
 */
export function* belowThresholds(
  party: Party,
  x: MaskedValue,
  thresholds: readonly number[],
  comparison: Comparison = defaultComparison,
): Steps<RingTensor> {
  const n = x.opened.width;
  const shape = x.opened.shape;
  const shifted = concat(
    thresholds.map((t) => reshape(addConstant(x.opened, -t), [1, ...shape])),
    0,
  );
  const top = party.dealt(msb(x.mask.secret));
  const borrow = yield* belowMask(party, narrow(shifted, n - 1), narrow(x.mask.secret, n - 1), comparison);
  return add(add(publicShare(party, msb(shifted)), top), borrow);
}
