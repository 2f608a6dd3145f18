import type { Share } from "../../../core/index.ts";
import { defineProtocol, matmulMasked, type Protocol } from "../../kit/index.ts";
import { additiveShareOf, openBoth } from "./beaver.ts";

const shared = {
  implements: "matmul",
  settings: ["2pc-dealer", "3pc"],
  family: "crypten",
  security: "semi-honest",
  paper: "Beaver, CRYPTO 1991; CrypTen (Knott et al., NeurIPS 2021), section 4.1; protocols.md 8, LIN-BVR",
  accuracy: "exact",
  yields: "share",
  operandWidths: ({ result }) => [result.width, result.width],
  *run(party, spec, x, y) {
    const { width } = spec.result;
    const [a, b] = yield* openBoth(party, additiveShareOf(party, x!, width), additiveShareOf(party, y!, width));
    return { kind: "share", tensor: matmulMasked(party, a, b, (t) => t) } satisfies Share;
  },
} as const satisfies Partial<Protocol>;

/** Matrix product with a fresh matrix triple: 1 round, 2ℓ(MK + KN) bits; the dealer sends ℓ·MN. */
export const beaverMatmul = defineProtocol({ ...shared, name: "beaver.matmul", forms: ["share", "share"] });

/** The same with a private weight: as in CrypTen it is a shared tensor, opened again at every use. */
export const beaverWeightMatmul = defineProtocol({
  ...shared,
  name: "beaver.weight-matmul",
  forms: ["share", "weight"],
});
