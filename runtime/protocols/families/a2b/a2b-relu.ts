import type { Share } from "../../../core/index.ts";
import { addConstant, mulConstant, sub } from "../../../ring/index.ts";
import { defineProtocol, publicShare } from "../../kit/index.ts";
import { additiveShareOf, beaverProduct, truncateShare } from "../beaver/index.ts";
import { bitToArithmetic, signBit, wordBits } from "./a2b.ts";

/**
 * x·(1 − sign): CrypTen's comparison (2560 bits, 7 rounds), its bit as a number (128 bits, 1 round), and a Beaver
 * product (256 bits, 1 round). 9 rounds, 2944 bits at 64 bits.
 */
export const a2bRelu = defineProtocol({
  name: "a2b.relu",
  implements: "relu",
  settings: ["2pc-dealer", "3pc"],
  family: "crypten",
  security: "semi-honest",
  paper: "CrypTen (Knott et al., NeurIPS 2021), section 4.2 and its code; protocols.md 1.3, K-CRYPTEN",
  accuracy: { ulps: ({ operands: [x], result }) => (x!.scale > result.scale ? 1 : 0) },
  forms: ["share"],
  yields: "share",
  operandWidths: () => [wordBits],
  *run(party, spec, operand) {
    const x = additiveShareOf(party, operand!, wordBits);
    const negative = yield* bitToArithmetic(party, yield* signBit(party, x), wordBits);
    const one = addConstant(mulConstant(negative, 0), 1);
    const positive = sub(publicShare(party, one), negative);
    const kept = yield* beaverProduct(party, x, positive);
    return {
      kind: "share",
      tensor: truncateShare(party, kept, spec.operands[0]!.scale - spec.result.scale),
    } satisfies Share;
  },
});
