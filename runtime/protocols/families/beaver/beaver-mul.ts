import type { Share } from "../../../core/index.ts";
import { defineProtocol, maxMagnitude, type Protocol, productDrop, type Spec } from "../../kit/index.ts";
import { additiveShareOf, beaverProduct, truncateShare } from "./beaver.ts";

/** Largest |x·y| in units of the exact product. */
const largest = ({ operands }: Spec): number =>
  operands.reduce((product, x) => product * maxMagnitude(x) * 2 ** x.scale, 1);

const shared = {
  implements: "mul",
  settings: ["2pc-dealer", "3pc"],
  family: "crypten",
  security: "semi-honest",
  paper: "Beaver, CRYPTO 1991; CrypTen (Knott et al., NeurIPS 2021), section 4.1; protocols.md 8, LIN-BVR",
  accuracy: { ulps: (spec) => (productDrop(spec) > 0 ? 1 : 0) },
  // The local truncation fails if the shares straddle the end of the ring: |x·y| / 2^ℓ.
  failure: (spec) => (productDrop(spec) > 0 ? Math.min(1, largest(spec) / 2 ** spec.result.width) : 0),
  yields: "share",
  operandWidths: ({ result }) => [result.width, result.width],
  *run(party, spec, x, y) {
    const { width } = spec.result;
    const product = yield* beaverProduct(party, additiveShareOf(party, x!, width), additiveShareOf(party, y!, width));
    return { kind: "share", tensor: truncateShare(party, product, productDrop(spec)) } satisfies Share;
  },
} as const satisfies Partial<Protocol>;

/** x·y elementwise: a fresh triple, both operands opened, truncated in its ring. 1 round, 4ℓ bits. */
export const beaverMul = defineProtocol({ ...shared, name: "beaver.mul", forms: ["share", "share"] });

/** The same with a private weight, which is opened again at every use. */
export const beaverWeightMul = defineProtocol({ ...shared, name: "beaver.weight-mul", forms: ["share", "weight"] });
