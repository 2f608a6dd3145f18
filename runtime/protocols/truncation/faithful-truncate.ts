import type { MaskedValue, Party, Share, Steps } from "../../core/index.ts";
import {
  add,
  addConstant,
  extractBits,
  msb,
  narrow,
  type RingTensor,
  reshape,
  shiftRight,
  sub,
} from "../../ring/index.ts";
import { maskAndOpen } from "../boundary/index.ts";
import {
  belowMask,
  type Comparison,
  comparisonOf,
  comparisonRefusal,
  comparisonVariants,
} from "../comparison/index.ts";
import {
  addPowerOfTwo,
  bitToRing,
  defineProtocol,
  entryAt,
  gateByBit,
  maskedWidth,
  maskTopBit,
  publicShare,
  resizeRing,
  type Spec,
  scaleIntoRing,
  subPowerOfTwo,
} from "../kit/index.ts";

const byOf = ({ attrs }: Spec): number => Number(attrs.by);

/**
 * ⌊(x + 2^(s−1)) / 2^s⌋ of a masked value, exactly and in any ring (T-FAITH, ours: docs/protocols/truncation.md). With
 * A = a + 2^(s−1), a as in `masked-values.ts`, it is
 *     ⌊A / 2^s⌋ − ⌊r / 2^s⌋ − 1{A mod 2^s < r mod 2^s} + 2^(n−s)·g·w.
 * The comparison of the low s bits takes 1 round by digits, and 1 round opens its masked bit. Nothing can fail.
 */
export const faithfulTruncate = defineProtocol({
  name: "faithful.truncate",
  implements: "truncate",
  settings: ["2pc-dealer", "3pc"],
  security: "semi-honest",
  paper: "ours: docs/protocols/truncation.md",
  accuracy: "exact",
  forms: ["masked"],
  yields: "share",
  // At least two bits of the masked value remain: its sign and its slack.
  operandWidths: (spec) => [Math.max(maskedWidth(spec.operands[0]!), byOf(spec) + 2)],
  refuses: (spec) => comparisonRefusal(byOf(spec) + 1, comparisonOf(spec)),
  variants: (spec) => comparisonVariants(byOf(spec) + 1),
  *run(party, spec, x) {
    const tensor = yield* truncateFaithfully(
      party,
      x as MaskedValue,
      byOf(spec),
      spec.result.width,
      comparisonOf(spec),
    );
    return { kind: "share", tensor } satisfies Share;
  },
});

/** The protocol's body, for other protocols. */
export function* truncateFaithfully(
  party: Party,
  x: MaskedValue,
  by: number,
  width: number,
  comparison: Comparison,
): Steps<RingTensor> {
  // The low bits of a: its offset 2^(n−2) is a multiple of 2^s.
  const low = narrow(addConstant(x.opened, 2 ** (by - 1)), by);
  const secret = narrow(x.mask.secret, by);
  const borrow = yield* belowMask(party, reshape(low, [1, ...low.shape]), secret, comparison);
  // A fresh uniform bit masks the borrow: safe to open.
  const opened = yield* maskAndOpen(party, entryAt(borrow, 0));
  return sub(quotientShares(party, x, by, width), bitToRing(party, opened, width));
}

/** ⌊A / 2^s⌋ − ⌊r / 2^s⌋ + 2^(n−s)·g·w as shares in a ring of `width` bits. */
function quotientShares(party: Party, x: MaskedValue, by: number, width: number): RingTensor {
  const n = x.opened.width;
  const offset = addPowerOfTwo(x.opened, n - 2);
  // ⌊(X + 2^(s−1)) / 2^s⌋ is ⌊X / 2^s⌋ plus the highest dropped bit: the sum itself could wrap.
  const rounded = add(resizeRing(shiftRight(offset, by), width), resizeRing(extractBits(offset, by - 1, 1), width));
  const opened = publicShare(party, subPowerOfTwo(rounded, n - 2 - by));
  const z = sub(opened, party.dealt(resizeRing(shiftRight(x.mask.secret, by), width)));
  const left = n - by;
  if (width <= left) return z;
  const g = addConstant(msb(offset), 1);
  const wrap = party.dealt(maskTopBit(x.mask.secret, width - left));
  return add(z, scaleIntoRing(gateByBit(g, wrap), left, width));
}
