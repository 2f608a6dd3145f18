import type { Share } from "../../core/index.ts";
import { addConstant, mulConstant, type RingTensor, shiftRightRounded } from "../../ring/index.ts";
import { maskAndOpen } from "../boundary/index.ts";
import { comparisonOf, comparisonRefusal, comparisonVariants } from "../comparison/index.ts";
import { defineProtocol, type Spec, signedBits } from "../kit/index.ts";
import { clippingBound, exponentialScales, exponentWidth, maskedExponential } from "./exponential.ts";

const fraction = 12;
const factorBits = 12;

/** Powers of two above 1 that the result may reach: removed before, restored after. */
const headroom = (spec: Spec): number => Math.max(0, Math.floor(spec.operands[0]!.hi * Math.LOG2E) + 1);
const inputWidth = (spec: Spec): number => {
  const { lo, hi } = spec.operands[0]!;
  const bound = Math.max(Math.abs(lo), Math.abs(hi)) * Math.LOG2E + headroom(spec);
  return Math.max(signedBits(-bound, bound, fraction) + 1, exponentWidth(fraction));
};
const shiftOf = (spec: Spec): number => spec.operands[0]!.scale + factorBits - fraction;

/**
 * Worst error: the rounding of log2 e and its truncation change the exponent, most at the largest x; the factors are
 * rounded, and results below 2^(h−15) may become 0.
 */
const ulpsOf = (spec: Spec): number => {
  const { lo, hi } = spec.operands[0]!;
  const { width, scale } = spec.result;
  const h = headroom(spec);
  const slope = Math.abs(Math.LOG2E - Math.round(Math.LOG2E * 2 ** factorBits) / 2 ** factorBits);
  const exponent = Math.LN2 * (2 ** -fraction + Math.max(Math.abs(lo), Math.abs(hi)) * slope);
  const factors = 2 ** -exponentialScales({ width, scale: scale + h }).factor;
  return 1 + (Math.exp(hi) * exponent + 2 ** h * (factors + clippingBound)) * 2 ** scale;
};

/**
 * e^x = 2^h·2^(x·log2 e − h), h public, by the separable masked exponential; 0 where the result is below 2^(h−16). 3
 * rounds.
 */
export const separableExp = defineProtocol({
  name: "separable.exp",
  implements: "exp",
  settings: ["2pc-dealer", "3pc"],
  security: "semi-honest",
  paper: "ours: docs/protocols/separable-exponential.md",
  accuracy: { ulps: ulpsOf },
  forms: ["share"],
  yields: "share",
  operandWidths: (spec) => [inputWidth(spec) + shiftOf(spec)],
  // Both factors keep four bits at least.
  maxResultWidth: (spec) => 40 + spec.result.scale + headroom(spec),
  refuses: (spec) => {
    const h = headroom(spec);
    if (h > 12) return `e^x may reach 2^${h}, at most 2^12 is supported`;
    if (shiftOf(spec) < 0 || inputWidth(spec) + shiftOf(spec) > 64)
      return "its exponent does not fit a ring of 64 bits";
    const { factor } = exponentialScales({ width: spec.result.width, scale: spec.result.scale + h });
    if (factor < 4) return `the result's ring of ${spec.result.width} bits leaves no room for the factors of e^x`;
    return comparisonRefusal(inputWidth(spec), comparisonOf(spec));
  },
  variants: (spec) => comparisonVariants(inputWidth(spec)),
  *run(party, spec, x) {
    const { width, scale } = spec.result;
    const h = headroom(spec);
    const base2 = shiftRightRounded(
      mulConstant((x as Share).tensor, Math.round(Math.LOG2E * 2 ** factorBits)),
      shiftOf(spec),
    );
    const offset: RingTensor = party.role === "client" ? base2 : addConstant(base2, -h * 2 ** fraction);
    const y = yield* maskAndOpen(party, offset);
    const weight = yield* maskedExponential(party, y, fraction, { width, scale: scale + h }, comparisonOf(spec));
    return { kind: "share", tensor: weight } satisfies Share;
  },
});
