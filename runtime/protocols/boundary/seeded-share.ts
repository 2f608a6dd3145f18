import type { Share } from "../../core/index.ts";
import { fromIntegers, type IntTensor, sub } from "../../ring/index.ts";
import { defineProtocol } from "../kit/index.ts";

/**
 * The client's input as additive shares without traffic. The server's share is pseudorandom from the seed that both
 * parties hold and the dealer does not; the client keeps the difference. The operand has integers at the client only.
 */
export const seededShare = defineProtocol({
  name: "seeded.share",
  implements: "share",
  settings: ["2pc-dealer", "3pc"],
  security: "semi-honest",
  paper: "pseudorandom secret sharing, Cramer, Damgård, Ishai, TCC 2005, for two parties",
  accuracy: "exact",
  forms: ["public"],
  yields: "share",
  operandWidths: ({ result }) => [result.width],
  *run(party, spec, x) {
    const { shape, width } = spec.result;
    const mine = party.sharedRandom(shape, width);
    const tensor = party.role === "client" ? sub(fromIntegers(x as IntTensor, width), mine) : mine;
    return { kind: "share", tensor } satisfies Share;
  },
});
