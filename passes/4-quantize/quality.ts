import type { Precision } from "../../ir/ops/define.ts";
import { defaultPrecision } from "./precision.ts";

/**
 * How near the answer comes to the model's, against traffic. fast: least traffic. balanced: within 2^−9 of the largest
 * output on every model of the repository (docs/precision.md). precise: as near as the protocols' own functions allow.
 */
export type Quality = "fast" | "balanced" | "precise";

const balanced = { fine: true, activation: 14, weight: 13, significant: 15, probability: 16 };
const precise = { fine: true, activation: 18, weight: 16, significant: 18, probability: 20 };

/** Fractional bits of queries and keys, and of values, best first. */
const attentionBits = (...pairs: readonly (readonly [query: number, value: number])[]) =>
  pairs.map(([query, value]) => ({ query, value }));
const usual = attentionBits([12, 13], [11, 13], [10, 12], [9, 11], [8, 10]);
const fine = attentionBits([15, 16], [14, 15], [13, 14]);

/**
 * The precisions of a quality, best first. Long rows, wide scores and deep chains of products leave fewer bits of a ring
 * for a query or value: the compiler takes the first that every ring has room for. The last is that of `fast`.
 */
export const qualities: Readonly<Record<Quality, readonly Precision[]>> = {
  fast: [defaultPrecision],
  balanced: [...usual.map((pair) => ({ ...balanced, ...pair })), defaultPrecision],
  precise: [
    ...[...fine, ...usual].map((pair) => ({ ...precise, ...pair })),
    ...usual.map((pair) => ({ ...balanced, ...pair })),
    defaultPrecision,
  ],
};

export const defaultQuality: Quality = "balanced";

/** The precisions of a quality with the bits that the user gives, each once. */
export const precisionsOf = (quality: Quality, given: Partial<Precision> = {}): readonly Precision[] =>
  precisionsWith(qualities[quality], given);

/** The precisions with these bits in all of them, each once. */
export function precisionsWith(precisions: readonly Precision[], given: Partial<Precision>): readonly Precision[] {
  // Bits of weights that the user gives are those of every weight.
  const own = given.weight === undefined ? given : { ...given, significant: undefined };
  const all = precisions.map((each) => JSON.stringify({ ...each, ...own }));
  return [...new Set(all)].map((text) => JSON.parse(text) as Precision);
}
