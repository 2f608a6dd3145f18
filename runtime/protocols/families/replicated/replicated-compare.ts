import type { Party, ReplicatedShare, Steps } from "../../../core/index.ts";
import { defineProtocol, type Protocol } from "../../kit/index.ts";
import { isZeroReplicated, topBit } from "./replicated-bits.ts";
import {
  complementBit,
  multiplyByBit,
  replicatedBitToRing,
  replicatedOperand,
  subReplicated,
} from "./replicated-sharing.ts";
import { truncateReplicated } from "./replicated-truncation-steps.ts";

const shared = {
  settings: ["3pc"],
  family: "replicated",
  security: "semi-honest",
  paper: "ABY3 (Mohassel, Rindal, CCS 2018), sections 5.3 and 5.4; protocols.md 3.1",
  yields: "share",
} as const satisfies Partial<Protocol>;

type Relation = (party: Party, x: ReplicatedShare, y: ReplicatedShare) => Steps<ReplicatedShare>;
const isLess: Relation = (party, x, y) => topBit(party, subReplicated(x, y));
const negated = (relation: Relation): Relation =>
  function* run(party, x, y) {
    return complementBit(party, yield* relation(party, x, y));
  };
const swapped =
  (relation: Relation): Relation =>
  (party, x, y) =>
    relation(party, y, x);

const relations: Readonly<Record<string, Relation>> = {
  less: isLess,
  greater: swapped(isLess),
  "less-or-equal": negated(swapped(isLess)),
  "greater-or-equal": negated(isLess),
  equal: (party, x, y) => isZeroReplicated(party, subReplicated(x, y)),
};

const order = {
  ...shared,
  implements: "compare",
  accuracy: "exact",
  // A single-bit result does not determine the operands' ring.
  operandWidths: () => [64, 64],
  *run(party, spec, x, y) {
    const relation = relations[String(spec.attrs.kind)]!;
    const bit = yield* relation(party, replicatedOperand(party, x, 64), replicatedOperand(party, y, 64));
    return yield* replicatedBitToRing(party, bit, spec.result.width);
  },
} as const satisfies Partial<Protocol>;

/**
 * A relation of two values as a bit; in a wider ring it takes two rounds more. The sign of the difference, which must
 * fit the ring, gives the order: 8 rounds and 607 bits at ℓ = 64; equality takes 7 rounds and 253 bits.
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
    const x = operand as ReplicatedShare;
    const positive = complementBit(party, yield* topBit(party, x));
    return yield* truncateReplicated(
      party,
      yield* multiplyByBit(party, positive, x),
      operands[0]!.scale - result.scale,
    );
  },
});
