import type { Share } from "../../../core/index.ts";
import { add, sub } from "../../../ring/index.ts";
import { defineProtocol } from "../../kit/index.ts";
import { additiveShareOf, beaverProduct } from "../beaver/index.ts";
import { bitToArithmetic } from "./a2b.ts";

/** y + c·(x − y): CrypTen's bit as a number (128 bits, 1 round) and a Beaver product (4ℓ bits, 1 round). */
export const beaverWhere = defineProtocol({
  name: "beaver.where",
  implements: "where",
  settings: ["2pc-dealer", "3pc"],
  family: "crypten",
  security: "semi-honest",
  paper: "CrypTen (Knott et al., NeurIPS 2021), section 4.2 and its code",
  accuracy: "exact",
  forms: ["share", "share", "share"],
  yields: "share",
  operandWidths: ({ result }) => [1, result.width, result.width],
  *run(party, spec, c, x, y) {
    const { width } = spec.result;
    const chosen = yield* bitToArithmetic(party, additiveShareOf(party, c!, 1), width);
    const other = additiveShareOf(party, y!, width);
    const difference = sub(additiveShareOf(party, x!, width), other);
    return { kind: "share", tensor: add(other, yield* beaverProduct(party, chosen, difference)) } satisfies Share;
  },
});
