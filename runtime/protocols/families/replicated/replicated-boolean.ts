import type { ReplicatedShare } from "../../../core/index.ts";
import { addConstant, mul, neg, shiftLeft } from "../../../ring/index.ts";
import { defineProtocol, type Protocol } from "../../kit/index.ts";
import {
  addReplicated,
  mapComponents,
  mapSecondComponent,
  multiplyReplicated,
  replicatedBitToRing,
} from "./replicated-sharing.ts";

const shared = {
  settings: ["3pc"],
  family: "replicated",
  security: "semi-honest",
  paper: "Araki, Furukawa, Lindell, Nof, Ohara, CCS 2016, in the ring of width 1; ABY3, section 5.4",
  accuracy: "exact",
  yields: "share",
} as const satisfies Partial<Protocol>;

/**
 * and, or, xor of bits; x ∨ y = x ⊕ y ⊕ xy. xor is free, the others take 1 round and 3 bits. Into a ring: 4ℓ bits and 2
 * rounds more.
 */
export const replicatedLogic = defineProtocol({
  ...shared,
  name: "replicated.logic",
  implements: "logic",
  forms: ["replicated", "replicated"],
  operandWidths: () => [1, 1],
  *run(party, { attrs, result }, x, y) {
    const [a, b] = [x as ReplicatedShare, y as ReplicatedShare];
    const sum = addReplicated(a, b);
    if (attrs.kind === "xor") return yield* replicatedBitToRing(party, sum, result.width);
    const both = yield* multiplyReplicated(party, a, b, mul);
    return yield* replicatedBitToRing(party, attrs.kind === "or" ? addReplicated(sum, both) : both, result.width);
  },
});

/** 1 − c in whatever ring holds the Boolean. Free. */
export const replicatedNot = defineProtocol({
  ...shared,
  name: "replicated.not",
  implements: "not",
  forms: ["replicated"],
  operandWidths: ({ result }) => [result.width],
  *run(party, _spec, x) {
    return mapSecondComponent(party, mapComponents(x as ReplicatedShare, neg), (t) => addConstant(t, 1));
  },
});

/** A Boolean as a number. 2 rounds, 4ℓ bits. */
export const replicatedCast = defineProtocol({
  ...shared,
  name: "replicated.cast",
  implements: "cast",
  forms: ["replicated"],
  operandWidths: () => [1],
  refuses: ({ operands: [x], attrs }) =>
    attrs.to === "f32" && x!.scale === 0 && x!.lo >= 0 && x!.hi <= 1 ? undefined : "it casts Booleans to numbers only",
  *run(party, { result }, x) {
    const number = yield* replicatedBitToRing(party, x as ReplicatedShare, result.width);
    return mapComponents(number, (t) => shiftLeft(t, result.scale));
  },
});
