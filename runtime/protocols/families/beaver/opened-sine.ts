import type { Share } from "../../../core/index.ts";
import { maskHarmonics, mul, narrow, openedHarmonics, reduceSum, type Series } from "../../../ring/index.ts";
import { maskAndOpen } from "../../boundary/index.ts";
import { defineProtocol, type Spec } from "../../kit/index.ts";
import { additiveShareOf, truncateShare } from "./beaver.ts";

/** Fractional bits of the dealer's sines and cosines and of the public factors: the published systems' fixed point. */
const harmonicBits = 16;

const numberList = (spec: Spec, name: string): readonly number[] => spec.attrs[name] as readonly number[];
const seriesOf = (spec: Spec): Series => ({ constant: 0, cosines: [], sines: numberList(spec, "sines") });
/** Ring in which the products are summed. */
const wordBits = 64;
/** log2 of the period in units of the operand. */
const periodBits = (spec: Spec): number => Math.log2(Number(spec.attrs.period)) + spec.operands[0]!.scale;

/**
 * Σ s_k·sin(2πk·x/P) from x + t opened modulo the period and shares of sin(2πk·t/P) and cos(2πk·t/P) from the dealer
 * (SecFormer section 3.2, SHAFT section 4): 1 round, 2·log2(P·2^f) bits; the dealer sends 2K·64.
 *
 * The published programs draw t from [0, P) or [−1024, 0) and open x − t in the whole ring, which reveals x up to a
 * small interval. This corrected protocol opens only the low bits, on which t is uniform (protocols.md 1.4). It is also
 * cheaper than the published 128 bits per element.
 */
export const openedSine = defineProtocol({
  name: "opened.sine-series",
  implements: "sine-series",
  settings: ["2pc-dealer", "3pc"],
  family: "crypten",
  security: "semi-honest",
  paper:
    "SecFormer (Luo et al., ACL Findings 2024), section 3.2; SHAFT (Kei, Chow, NDSS 2025), section 4; opened mod P",
  // Each of the 2K products is off by half a unit of its factor and of its harmonic; the truncation adds one unit.
  accuracy: {
    ulps: (spec) => {
      const rounding = numberList(spec, "sines").reduce((sum, s) => sum + Math.SQRT2 * (1 + Math.abs(s)), 0);
      return 1 + rounding * 0.5 * Math.SQRT2 * 2 ** (spec.result.scale - harmonicBits);
    },
  },
  forms: ["share"],
  yields: "share",
  operandWidths: (spec) => [Math.max(spec.result.width, periodBits(spec))],
  refuses: (spec) => {
    const bits = periodBits(spec);
    if (!Number.isInteger(bits) || bits < 2) return `its period ${spec.attrs.period} is not a power of two`;
    return bits > 32 ? `its period has ${bits} bits, at most 32 are supported` : undefined;
  },
  *run(party, spec, operand) {
    const series = seriesOf(spec);
    // x + t mod P with t uniform on the whole period: safe to open.
    const x = yield* maskAndOpen(
      party,
      narrow(additiveShareOf(party, operand!, spec.operands[0]!.width), periodBits(spec)),
    );
    const harmonics = party.dealt(maskHarmonics(x.mask.secret, series.sines.length, harmonicBits, wordBits));
    const factors = openedHarmonics(x.opened, series, harmonicBits, wordBits);
    const sum = reduceSum(mul(factors, harmonics), [0], false);
    const tensor = narrow(truncateShare(party, sum, 2 * harmonicBits - spec.result.scale), spec.result.width);
    return { kind: "share", tensor } satisfies Share;
  },
});
