/**
 * Shares that pass from one program to the next (docs/protocols/handed-shares.md). Both protocols add a fresh sharing of
 * zero from the seed that client and server have in common, and cost no traffic.
 */
import type { Party, Share } from "../../core/index.ts";
import { add, fromIntegers, type IntTensor, type RingTensor, sub } from "../../ring/index.ts";
import { defineProtocol } from "../kit/index.ts";

/** Widest ring whose residues a double holds. */
const residueBits = 53;

/** The same value under shares that are uniform for whoever does not hold the common seed. */
function freshShare(party: Party, mine: RingTensor): Share {
  const zero = party.sharedRandom(mine.shape, mine.width);
  return { kind: "share", tensor: party.role === "client" ? add(mine, zero) : sub(mine, zero) };
}

/** An output stays shared: each party keeps its residue of the result. 0 rounds. */
export const seededHandOver = defineProtocol({
  name: "seeded.hand-over",
  implements: "hand-over",
  settings: ["2pc-dealer", "3pc"],
  security: "semi-honest",
  paper: "ours: docs/protocols/handed-shares.md; zero sharing of Cramer, Damgård, Ishai, TCC 2005",
  accuracy: "exact",
  forms: ["share"],
  yields: "share",
  operandWidths: ({ result }) => [result.width],
  *run(party, _spec, x) {
    return freshShare(party, (x as Share).tensor);
  },
});

/** Residues that an earlier program handed over become shares of this one, in its own ring. 0 rounds. */
export const seededTakeOver = defineProtocol({
  name: "seeded.take-over",
  implements: "take-over",
  settings: ["2pc-dealer", "3pc"],
  security: "semi-honest",
  paper: "ours: docs/protocols/handed-shares.md; zero sharing of Cramer, Damgård, Ishai, TCC 2005",
  accuracy: "exact",
  forms: ["residue"],
  yields: "share",
  operandWidths: ({ result }) => [result.width],
  maxResultWidth: () => residueBits,
  *run(party, { result }, x) {
    return freshShare(party, fromIntegers(x as IntTensor, result.width));
  },
});
