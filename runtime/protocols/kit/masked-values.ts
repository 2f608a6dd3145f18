/**
 * Arithmetic on masked values that every protocol uses: algebra on opened values, without traffic.
 *
 * A masked value in a ring of n bits holds x̂ = x + r mod 2^n with |x| < 2^(n−2) (one bit of slack beside the sign).
 * With X̂ = x̂ + 2^(n−2), the sum wraps exactly if msb(r) = 1 and msb(X̂) = 0, so that over the integers
 *     x = a − r + 2^n·g·w,   a = X̂ − 2^(n−2) and g = 1 − msb(X̂) public,   w = msb(r) known to the dealer
 * (protocols.md 1.0). Everything below expands that identity.
 */
import type { FreshMask, Mask, MaskedValue, Party } from "../../core/index.ts";
import {
  add,
  addConstant,
  concat,
  filled,
  metaTensor,
  msb,
  mul,
  mulConstant,
  narrow,
  type RingTensor,
  reshape,
  residue,
  type Shape,
  shiftLeft,
  shiftRight,
  shiftRightRounded,
  slice,
  sub,
  widen,
} from "../../ring/index.ts";

/** The residue in a ring of `width` bits: zero-extended or narrowed. */
export const resizeRing = (x: RingTensor, width: number): RingTensor =>
  width === x.width ? x : width < x.width ? narrow(x, width) : widen(x, width);

/**
 * Shares with `by` fractional bits fewer, rounded to within 1 ulp, in a ring of `by` bits less; if `by` is negative,
 * with more fractional bits in the same ring. Free (docs/protocols/truncation.md).
 */
export const rescale = (x: RingTensor, by: number): RingTensor =>
  by > 0 ? shiftRightRounded(x, by) : by < 0 ? shiftLeft(x, -by) : x;
/** Ring of the operand from which `rescale` leaves `width` bits. */
export const widthBeforeRescale = (width: number, by: number): number => width + Math.max(0, by);

/** A public tensor as a share: the server holds it, the client holds zero. */
export const publicShare = (party: Party, x: RingTensor): RingTensor =>
  party.role === "client" ? mulConstant(x, 0) : x;

/** A public constant as a share beside `like`, in a shape and ring of its own. */
export const publicConstant = (party: Party, like: RingTensor, shape: Shape, width: number, n: number): RingTensor =>
  filled(like, shape, width, party.role === "client" ? 0 : n);

/** 2^by · t in a ring of `width` bits, from t in a ring of width − by bits: exact. */
export const scaleIntoRing = (t: RingTensor, by: number, width: number): RingTensor => shiftLeft(widen(t, width), by);

/** t where the public bit is 1, else 0. */
export const gateByBit = (bit: RingTensor, t: RingTensor): RingTensor => mul(widen(bit, t.width), t);

/** t or −t: multiplied by 1 − 2·bit. */
export const negateByBit = (bit: RingTensor, t: RingTensor): RingTensor => sub(t, mulConstant(gateByBit(bit, t), 2));

/** x + 2^exponent, and x − 2^exponent; also for powers beyond the safe integers of float64. */
export const addPowerOfTwo = (x: RingTensor, exponent: number): RingTensor => add(x, residue(2 ** exponent, x.width));
export const subPowerOfTwo = (x: RingTensor, exponent: number): RingTensor => sub(x, residue(2 ** exponent, x.width));

/** The public parts of a masked value: x = a − r + 2^n·g·w over the integers. */
export function publicParts(x: MaskedValue, width: number): { readonly a: RingTensor; readonly g: RingTensor } {
  const n = x.opened.width;
  if (width <= n) return { a: narrow(x.opened, width), g: metaTensor([], 1) };
  const offset = addPowerOfTwo(x.opened, n - 2);
  const a = subPowerOfTwo(widen(offset, width), n - 2);
  return { a, g: addConstant(msb(offset), 1) };
}

/** Share of the mask in a ring of `width` bits. */
export function maskShare(party: Party, mask: Mask, width: number): RingTensor {
  const own = mask.secret.width;
  if (mask.share && width <= own) return narrow(mask.share, width);
  if (mask.fresh) return party.extendMask(mask as FreshMask, width);
  return party.dealt(resizeRing(mask.secret, width));
}

/** Share of the masked value's x in a ring of `width` bits: exact lift (protocols.md 1.0), or narrowed. 0 rounds. */
export function liftToRing(party: Party, x: MaskedValue, width: number): RingTensor {
  const n = x.opened.width;
  const { a, g } = publicParts(x, width);
  const masked = sub(publicShare(party, a), maskShare(party, x.mask, width));
  if (width <= n) return masked;
  const wrap = party.dealt(maskTopBit(x.mask.secret, width - n));
  return add(masked, scaleIntoRing(gateByBit(g, wrap), n, width));
}

/** The mask's top bit as an integer of `width` bits. */
export const maskTopBit = (secret: RingTensor, width: number): RingTensor => widen(msb(secret), width);

/** The same masked value without its lowest bits: x̂ ≫ by masks ⌊x / 2^by⌋, or one more, with r ≫ by. Free. */
export const dropLowBits = (x: MaskedValue, by: number): MaskedValue => ({
  kind: "masked",
  opened: shiftRight(x.opened, by),
  mask: { share: undefined, secret: shiftRight(x.mask.secret, by), fresh: false },
});

/** The same value on its low bits, if it was opened in a wider ring than required: |x| < 2^(width−2). Free. */
export const narrowMasked = (x: MaskedValue, width: number): MaskedValue =>
  x.opened.width <= width ? x : mapMasked(x, (t) => narrow(t, width));

/** Difference of two masked values of the same ring; its mask is the difference of their masks. Free. */
export const subMasked = (x: MaskedValue, y: MaskedValue): MaskedValue => ({
  kind: "masked",
  opened: sub(x.opened, y.opened),
  mask: {
    share: x.mask.share && y.mask.share ? sub(x.mask.share, y.mask.share) : undefined,
    secret: sub(x.mask.secret, y.mask.secret),
    fresh: false,
  },
});

/** Rows `start` to `end` of the first axis; default: to the last row. */
export const sliceRows = (x: RingTensor, start: number, end = x.shape[0]!): RingTensor =>
  slice(x, [start, ...x.shape.slice(1).map(() => 0)], [end, ...x.shape.slice(1)]);
/** Element `index` of the first axis. */
export const entryAt = (x: RingTensor, index: number): RingTensor =>
  reshape(sliceRows(x, index, index + 1), x.shape.slice(1));

/** Tensors of one shape along a new first axis: [count, …shape]. */
export const stack = (tensors: readonly RingTensor[]): RingTensor =>
  concat(
    tensors.map((t) => reshape(t, [1, ...t.shape])),
    0,
  );

/** Applies a layout kernel (gather, reshape, …) to a masked value: to the opened tensor and to the mask. Free. */
export const mapMasked = (x: MaskedValue, kernel: (t: RingTensor) => RingTensor): MaskedValue => ({
  kind: "masked",
  opened: kernel(x.opened),
  mask: {
    share: x.mask.share && kernel(x.mask.share),
    secret: kernel(x.mask.secret),
    fresh: false,
  },
});

/**
 * Concatenates two masked values of one ring along an axis. Each part of the mask is known where the operands' is.
 * Free.
 */
export const concatMasked = (x: MaskedValue, y: MaskedValue, axis = 0): MaskedValue => ({
  kind: "masked",
  opened: concat([x.opened, y.opened], axis),
  mask: {
    share: x.mask.share && y.mask.share && concat([x.mask.share, y.mask.share], axis),
    secret: concat([x.mask.secret, y.mask.secret], axis),
    fresh: false,
  },
});
