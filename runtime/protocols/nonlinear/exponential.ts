import { type MaskedValue, type Party, parallel, type Steps } from "../../core/index.ts";
import {
  add,
  addConstant,
  concat,
  exponentials,
  mul,
  narrow,
  type RingTensor,
  reshape,
  shiftRightRounded,
  sub,
} from "../../ring/index.ts";
import { maskAndOpen } from "../boundary/index.ts";
import { belowMask, belowThresholds, type Comparison } from "../comparison/index.ts";
import { dropLowBits, entryAt, gateByBit, negateByBit } from "../kit/index.ts";

/**
 * The window holds y in [−2^4, 0). Below it the result is 0; up to one unit above its start it may be 0 too, since the
 * clip is decided on whole units. ⌊y⌋ or one more is compared with 1 − 2^4: what passes is inside the window, and what
 * is lost is below 2^−15.
 */
const rangeBits = 4;
/** Largest true result that may become 0. */
export const clippingBound = 2 ** (1 - 2 ** rangeBits);

/**
 * Narrowest masked value for y with this many fractional bits: the window's end is a threshold within its signed range.
 */
export const exponentWidth = (fraction: number): number => fraction + rangeBits + 2;

/**
 * Fractional bits of the public factor and of the dealer's factor, which together must fit 64 bits above the result.
 * The dealer's factor spans 2^−16…1 and needs the 16 extra bits.
 */
export function exponentialScales(result: { readonly width: number; readonly scale: number }): {
  readonly factor: number;
  readonly dealt: number;
} {
  const total = Math.min(44, 64 - result.width + result.scale);
  const dealt = Math.ceil(total / 2) + 8;
  return { factor: total - dealt, dealt };
}

/**
 * 2^y for a masked value y < 0 with `fraction` fractional bits, as shares in a ring of `width` bits at `scale`; 0 below
 * −16, possibly below −15 (separable masked exponential, L-SEP; ours: docs/protocols/separable-exponential.md). With Y
 * = y + 16 in [0, 16) and ŷ = Y + r mod 16: 2^y = 2^(ŷ − 16)·2^−r·2^(16w), where w = 1{ŷ < r} is 1 if the sum wrapped.
 * The dealer shares u = 2^−r and its products with the one-time bits of w and of the clip bit. 2 rounds with
 * comparisons of one; online: two comparisons and 4 bits per element.
 */
export function* maskedExponential(
  party: Party,
  y: MaskedValue,
  fraction: number,
  result: { readonly width: number; readonly scale: number },
  comparison?: Comparison,
): Steps<RingTensor> {
  const period = fraction + rangeBits;
  const shape = y.opened.shape;
  const { factor, dealt } = exponentialScales(result);
  const ring = result.width + factor + dealt - result.scale;
  const low = narrow(y.opened, period);
  const lowMask = narrow(y.mask.secret, period);

  // Both comparisons in one round: is y inside the window, and did the masked low bits wrap?
  const [outside, wrapped] = yield* parallel(
    belowThresholds(party, dropLowBits(y, fraction), [1 - 2 ** rangeBits], comparison),
    belowMask(party, reshape(low, [1, ...shape]), lowMask, comparison),
  );
  const bits = yield* maskAndOpen(party, concat([outside, wrapped], 0));
  const clip = entryAt(bits.opened, 0);
  const wrap = entryAt(bits.opened, 1);
  const clipMask = entryAt(bits.mask.secret, 0);
  const wrapMask = entryAt(bits.mask.secret, 1);

  const u = exponentials(lowMask, fraction, dealt, -1, ring);
  const shares = {
    u: party.dealt(u),
    // ζ masks "inside", the complement of the opened clip bit.
    inside: party.dealt(gateByBit(clipMask, u)),
    wrap: party.dealt(gateByBit(wrapMask, u)),
    both: party.dealt(gateByBit(clipMask, gateByBit(wrapMask, u))),
  };
  // inside = 1 − clip: (inside·u) with the opened complement; then times w = ŵ ⊕ ω in the same way.
  const insideBit = addConstant(clip, 1);
  const insideU = add(gateByBit(insideBit, shares.u), negateByBit(insideBit, shares.inside));
  const insideWrapMask = add(gateByBit(insideBit, shares.wrap), negateByBit(insideBit, shares.both));
  const wrappedU = add(gateByBit(wrap, insideU), negateByBit(wrap, insideWrapMask));
  // C0 = 2^(ŷ−16) if it did not wrap, C1 = 2^ŷ if it did.
  const c0 = exponentials(low, fraction, factor - 2 ** rangeBits, 1, ring);
  const c1 = exponentials(low, fraction, factor, 1, ring);
  const value = add(mul(c0, sub(insideU, wrappedU)), mul(c1, wrappedU));
  return shiftRightRounded(value, factor + dealt - result.scale);
}
