import type { Replicated } from "../../../core/index.ts";
import { addConstant, mul, neg, shiftLeft } from "../../../ring/index.ts";
import { defineProtocol, type Protocol } from "../../kit/index.ts";
import { addParts, bitToRing, mapParts, once, product } from "./replicated.ts";

const shared = {
  settings: ["3pc"],
  family: "replicated",
  security: "semi-honest",
  paper: "Araki, Furukawa, Lindell, Nof, Ohara, CCS 2016, in the ring of width 1; ABY3, section 5.4",
  accuracy: "exact",
  yields: "share",
} as const satisfies Partial<Protocol>;

/** and, or, xor of bits; x ∨ y = x ⊕ y ⊕ xy. xor is free, the others take 1 round and 3 bits; 4ℓ and 2 rounds more into a ring. */
export const replicatedLogic = defineProtocol({
  ...shared,
  name: "replicated.logic",
  implements: "logic",
  forms: ["replicated", "replicated"],
  operandWidths: () => [1, 1],
  *run(party, { attrs, result }, x, y) {
    const [a, b] = [x as Replicated, y as Replicated];
    const sum = addParts(a, b);
    if (attrs.kind === "xor") return yield* bitToRing(party, sum, result.width);
    const both = yield* product(party, a, b, mul);
    return yield* bitToRing(party, attrs.kind === "or" ? addParts(sum, both) : both, result.width);
  },
});

/** 1 − c in whatever ring the truth value is held. Free. */
export const replicatedNot = defineProtocol({
  ...shared,
  name: "replicated.not",
  implements: "not",
  forms: ["replicated"],
  operandWidths: ({ result }) => [result.width],
  *run(party, _spec, x) {
    return once(party, mapParts(x as Replicated, neg), (t) => addConstant(t, 1));
  },
});

/** A truth value as a number. 2 rounds, 4ℓ bits. */
export const replicatedCast = defineProtocol({
  ...shared,
  name: "replicated.cast",
  implements: "cast",
  forms: ["replicated"],
  operandWidths: () => [1],
  refuses: ({ operands: [x], attrs }) =>
    attrs.to === "f32" && x!.scale === 0 && x!.lo >= 0 && x!.hi <= 1 ? undefined : "it casts truth values to numbers",
  *run(party, { result }, x) {
    const number = yield* bitToRing(party, x as Replicated, result.width);
    return mapParts(number, (t) => shiftLeft(t, result.scale));
  },
});
