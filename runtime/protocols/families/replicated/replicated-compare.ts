import type { Party, Replicated, Steps } from "../../../core/index.ts";
import { defineProtocol, type Protocol } from "../../kit/index.ts";
import { bitTimes, bitToRing, not, partsOf, subParts } from "./replicated.ts";
import { isZero, topBit } from "./replicated-bits.ts";
import { truncated } from "./replicated-truncation.ts";

const shared = {
  settings: ["3pc"],
  family: "replicated",
  security: "semi-honest",
  paper: "ABY3 (Mohassel, Rindal, CCS 2018), sections 5.3 and 5.4; protocols.md 3.1",
  yields: "share",
} as const satisfies Partial<Protocol>;

type Relation = (party: Party, x: Replicated, y: Replicated) => Steps<Replicated>;
const less: Relation = (party, x, y) => topBit(party, subParts(x, y));
const negated = (relation: Relation): Relation =>
  function* run(party, x, y) {
    return not(party, yield* relation(party, x, y));
  };
const swapped =
  (relation: Relation): Relation =>
  (party, x, y) =>
    relation(party, y, x);

const relations: Readonly<Record<string, Relation>> = {
  less,
  greater: swapped(less),
  "less-or-equal": negated(swapped(less)),
  "greater-or-equal": negated(less),
  equal: (party, x, y) => isZero(party, subParts(x, y)),
};

const order = {
  ...shared,
  implements: "compare",
  accuracy: "exact",
  // A result that is a single bit says nothing of the operands' ring.
  operandWidths: () => [64, 64],
  *run(party, spec, x, y) {
    const relation = relations[String(spec.attrs.kind)]!;
    const bit = yield* relation(party, partsOf(party, x, 64), partsOf(party, y, 64));
    return yield* bitToRing(party, bit, spec.result.width);
  },
} as const satisfies Partial<Protocol>;

/**
 * A relation of two values, as a bit; in a wider ring two rounds more. Orders by the sign of the difference, which must
 * fit the ring: 8 rounds and 607 bits at ℓ = 64; equality 7 rounds and 253 bits.
 */
export const replicatedCompare = defineProtocol({
  ...order,
  name: "replicated.compare",
  forms: ["replicated", "replicated"],
});

/** The same with a public value on the right. */
export const replicatedComparePublic = defineProtocol({
  ...order,
  name: "replicated.compare-public",
  forms: ["replicated", "public"],
});

/** max(x, 0): the sign, then the product with its complement. 10 rounds, 1,055 bits at ℓ = 64; exact at equal scales. */
export const replicatedRelu = defineProtocol({
  ...shared,
  name: "replicated.relu",
  implements: "relu",
  accuracy: { ulps: ({ operands: [x], result }) => (x!.scale > result.scale ? 1 : 0) },
  forms: ["replicated"],
  operandWidths: ({ result }) => [result.width],
  *run(party, { operands, result }, operand) {
    const x = operand as Replicated;
    const positive = not(party, yield* topBit(party, x));
    return yield* truncated(party, yield* bitTimes(party, positive, x), operands[0]!.scale - result.scale);
  },
});
