import type { ReplicatedShare } from "../../../core/index.ts";
import { expand } from "../../../ring/index.ts";
import { defineProtocol, type Operand, type Protocol } from "../../kit/index.ts";
import { addReplicated, mapComponents, multiplyByBit, replicatedOperand, subReplicated } from "./replicated-sharing.ts";

const choice = {
  implements: "where",
  settings: ["3pc"],
  family: "replicated",
  security: "semi-honest",
  paper: "ABY3 (Mohassel, Rindal, CCS 2018), section 5.4, by two products; protocols.md 3.1",
  yields: "share",
  accuracy: "exact",
  operandWidths: ({ result }) => [1, result.width, result.width],
  *run(party, { result }, c, x, y) {
    const whole = (t: Operand | undefined, width = result.width): ReplicatedShare =>
      mapComponents(replicatedOperand(party, t, width), (part) => expand(part, result.shape));
    const [wide, other] = [whole(x), whole(y)];
    return addReplicated(other, yield* multiplyByBit(party, whole(c, 1), subReplicated(wide, other)));
  },
} as const satisfies Partial<Protocol>;

/** x where the bit is 1, y elsewhere: y + c·(x − y). 2 rounds, 7ℓ bits per element. */
export const replicatedWhere = defineProtocol({ ...choice, name: "replicated.where", forms: ["replicated"] });

/** The same with a public value where the bit is 1. */
export const replicatedWherePublic = defineProtocol({
  ...choice,
  name: "replicated.where-public",
  forms: ["replicated", "public", "replicated"],
});

/** The same with a public value where the bit is 0. */
export const replicatedWhereElsePublic = defineProtocol({
  ...choice,
  name: "replicated.where-else-public",
  forms: ["replicated", "replicated", "public"],
});
