import type { Share } from "../../core/index.ts";
import { fromIntegers, type IntTensor, sub } from "../../ring/index.ts";
import { defineProtocol } from "../kit/index.ts";

/**
 * The server's input as additive shares without traffic: `seeded.share` with the roles exchanged. The client's share is
 * pseudorandom from the seed that both parties hold and the dealer does not; the server keeps the difference. The
 * operand has integers at the server only.
 */
export const seededServerShare = defineProtocol({
  name: "seeded.server-share",
  implements: "share",
  settings: ["2pc-dealer", "3pc"],
  security: "semi-honest",
  paper: "pseudorandom secret sharing, Cramer, Damgård, Ishai, TCC 2005, for two parties",
  accuracy: "exact",
  forms: ["server"],
  yields: "share",
  operandWidths: ({ result }) => [result.width],
  *run(party, spec, x) {
    const { shape, width } = spec.result;
    const theirs = party.sharedRandom(shape, width);
    const tensor = party.role === "server" ? sub(fromIntegers(x as IntTensor, width), theirs) : theirs;
    return { kind: "share", tensor } satisfies Share;
  },
});
