import type { Party, Share } from "../../core/index.ts";
import { neg, type RingTensor, shiftRight, widenSigned } from "../../ring/index.ts";
import { defineProtocol, maxMagnitude, type Spec } from "../kit/index.ts";

/** Each party's own share, shifted in its own ring: x₀ ≫ s and −((−x₁) ≫ s), with sign extension. */
export function shiftOwnShare(party: Party, x: RingTensor, by: number): RingTensor {
  const shifted = (t: RingTensor): RingTensor => widenSigned(shiftRight(t, by), t.width);
  return party.role === "client" ? shifted(x) : neg(shifted(neg(x)));
}

/** Largest |x| in units of the operand's scale. */
const magnitudeOf = ({ operands: [x] }: Spec): number => maxMagnitude(x!) * 2 ** x!.scale;

/**
 * Truncation by a local shift that keeps the ring (T-SML, protocols.md 1.2), as one-ring systems do. Free, but the
 * integers x₀ and −x₁, which differ by x, straddle the end of the ring with probability |x| / 2^ℓ. The result is then
 * off by 2^(ℓ−s), and nothing detects it. Otherwise it is ⌊x / 2^s⌋, or one more with the probability of the fraction:
 * unbiased.
 */
export const sameRingTruncate = defineProtocol({
  name: "same-ring.truncate",
  implements: "truncate",
  settings: ["2pc-dealer", "3pc", "2pc"],
  family: "crypten",
  security: "semi-honest",
  paper: "SecureML (Mohassel, Zhang, S&P 2017), Theorem 1; CrypTen (Knott et al., NeurIPS 2021)",
  accuracy: { ulps: () => 1 },
  // SecureML states 2^(lx + 1 − ℓ) for |x| < 2^lx, which is at least twice this.
  failure: (spec) => Math.min(1, magnitudeOf(spec) / 2 ** spec.result.width),
  forms: ["share"],
  yields: "share",
  operandWidths: ({ result }) => [result.width],
  *run(party, spec, x) {
    const tensor = shiftOwnShare(party, (x as Share).tensor, Number(spec.attrs.by));
    return { kind: "share", tensor } satisfies Share;
  },
});
