import type { Share } from "../../../core/index.ts";
import { defineProtocol, scaleIntoRing } from "../../kit/index.ts";
import { additiveShareOf } from "../beaver/index.ts";
import { bitToArithmetic, wordBits } from "./a2b.ts";

/**
 * A Boolean as a number, as in CrypTen (B2A): the bit is masked and opened as a whole word, 1 round, 128 bits.
 * Comparison and cast together are what CrypTen calls a comparison: 8 rounds, 2688 bits.
 */
export const a2bCast = defineProtocol({
  name: "a2b.cast",
  implements: "cast",
  settings: ["2pc-dealer", "3pc"],
  family: "crypten",
  security: "semi-honest",
  paper: "CrypTen (Knott et al., NeurIPS 2021), section 4.2 and its code; protocols.md 1.3, K-CRYPTEN",
  accuracy: "exact",
  forms: ["share"],
  yields: "share",
  operandWidths: () => [1],
  refuses: ({ operands: [x], attrs }) =>
    attrs.to === "f32" && x!.scale === 0 && x!.lo >= 0 && x!.hi <= 1 ? undefined : "it casts Booleans to numbers only",
  *run(party, { result }, operand) {
    const bit = yield* bitToArithmetic(party, additiveShareOf(party, operand!, 1), wordBits);
    return { kind: "share", tensor: scaleIntoRing(bit, result.scale, wordBits) } satisfies Share;
  },
});
