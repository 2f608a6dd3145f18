import type { MaskedValue, Party } from "../../core/index.ts";
import { add, matmul, mul, mulConstant, narrow, type RingTensor, reduceSum, sub } from "../../ring/index.ts";
import {
  gateByBit,
  liftToRing,
  maskShare,
  maskTopBit,
  publicParts,
  publicShare,
  resizeRing,
  scaleIntoRing,
} from "./masked-values.ts";

/**
 * Elementwise product of two masked values (broadcast), as shares in a ring of `width` bits, without traffic between
 * the parties:
 *     xy = (a − r + 2^n·g·w)(b − s + 2^k·h·v)
 * expanded into public factors times tensors that the dealer shares (ours: docs/protocols/masked-product.md).
 */
export function multiplyMasked(party: Party, x: MaskedValue, y: MaskedValue, width: number): RingTensor {
  const n = x.opened.width;
  const k = y.opened.width;
  const { a, g } = publicParts(x, width);
  const { a: b, g: h } = publicParts(y, width);
  const r = x.mask.secret;
  const s = y.mask.secret;
  let z = publicShare(party, mul(a, b));
  z = sub(z, mul(a, maskShare(party, y.mask, width)));
  z = sub(z, mul(maskShare(party, x.mask, width), b));
  z = add(z, party.dealt(mul(resizeRing(r, width), resizeRing(s, width))));
  if (width > k) {
    // b's wrap: 2^k·h·v·(a − r)
    const m = width - k;
    const v = gateByBit(h, party.dealt(maskTopBit(s, m)));
    const rv = gateByBit(h, party.dealt(mul(resizeRing(r, m), maskTopBit(s, m))));
    z = add(z, scaleIntoRing(sub(mul(narrow(a, m), v), rv), k, width));
  }
  if (width > n) {
    const m = width - n;
    const w = gateByBit(g, party.dealt(maskTopBit(r, m)));
    const ws = gateByBit(g, party.dealt(mul(maskTopBit(r, m), resizeRing(s, m))));
    z = add(z, scaleIntoRing(sub(mul(w, narrow(b, m)), ws), n, width));
  }
  if (width > n + k) {
    const m = width - n - k;
    const wv = party.dealt(mul(maskTopBit(r, m), maskTopBit(s, m)));
    z = add(z, scaleIntoRing(gateByBit(g, gateByBit(h, wv)), n + k, width));
  }
  return z;
}

/**
 * Σ x² over the last axis (kept with size 1) of a masked value, as shares in a ring of `width` bits, without traffic:
 *     x² = a² − 2a·r + r² + 2^(n+1)·g·w·(a − r) + 2^(2n)·g·w
 * (protocols.md 1.8; the dealer shares Σr² once per row).
 */
export function sumOfSquares(party: Party, x: MaskedValue, width: number): RingTensor {
  const n = x.opened.width;
  const axis = [x.opened.shape.length - 1];
  const { a, g } = publicParts(x, width);
  const secret = resizeRing(x.mask.secret, width);
  const cross = mul(a, maskShare(party, x.mask, width));
  let z = sub(publicShare(party, mul(a, a)), mulConstant(cross, 2));
  if (width > n + 1) {
    const m = width - n - 1;
    const bit = maskTopBit(x.mask.secret, m);
    const w = party.dealt(bit);
    const rw = party.dealt(mul(bit, resizeRing(x.mask.secret, m)));
    z = add(z, scaleIntoRing(gateByBit(g, sub(mul(narrow(a, m), w), rw)), n + 1, width));
    if (width > 2 * n) z = add(z, scaleIntoRing(gateByBit(g, narrow(w, width - 2 * n)), 2 * n, width));
  }
  return add(reduceSum(z, axis, true), party.dealt(reduceSum(mul(secret, secret), axis, true)));
}

/**
 * Bilinear product of two masked values of the same ring, as shares in that ring: X̂∘Ŷ − X̂∘[s] − [r]∘Ŷ + [r∘s]
 * (LIN-SS, protocols.md 1.1). No traffic. `keep` selects the required entries, both in the result and in what the
 * dealer sends.
 */
export function bilinearMasked(
  party: Party,
  x: MaskedValue,
  y: MaskedValue,
  product: (x: RingTensor, y: RingTensor) => RingTensor,
  keep: (full: RingTensor) => RingTensor = (full) => full,
): RingTensor {
  const width = x.opened.width;
  const own = sub(publicShare(party, x.opened), maskShare(party, x.mask, width));
  const z = sub(product(own, y.opened), product(x.opened, maskShare(party, y.mask, width)));
  return add(keep(z), party.dealt(keep(product(x.mask.secret, y.mask.secret))));
}

/** Matrix product of two masked values. */
export const matmulMasked = (
  party: Party,
  x: MaskedValue,
  y: MaskedValue,
  keep: (full: RingTensor) => RingTensor,
): RingTensor => bilinearMasked(party, x, y, matmul, keep);

/** Share of c (0 or 1) in a ring of `width` bits, from an opened bit ĉ = c ⊕ γ: c = ĉ + (1 − 2ĉ)·γ. No traffic. */
export function bitToRing(party: Party, c: MaskedValue, width: number): RingTensor {
  const gamma = party.dealt(resizeRing(c.mask.secret, width));
  const sign = mulConstant(gateByBit(c.opened, gamma), 2);
  return add(publicShare(party, resizeRing(c.opened, width)), sub(gamma, sign));
}

/**
 * c·x as shares in a ring of `width` bits, from an opened bit and a masked value, without traffic:
 *     c·x = ĉ·(a − r + 2^n·g·w) + (1 − 2ĉ)·(a·γ − γr + 2^n·g·γw)
 * (MUX, protocols.md 1.3). Shapes broadcast. `own`: the share of x in that ring, if the caller has it.
 */
export function selectMasked(
  party: Party,
  c: MaskedValue,
  x: MaskedValue,
  width: number,
  own = liftToRing(party, x, width),
): RingTensor {
  const n = x.opened.width;
  const { a, g } = publicParts(x, width);
  const gamma = resizeRing(c.mask.secret, width);
  const taken = gateByBit(c.opened, own);
  const flipped = sub(mul(a, party.dealt(gamma)), party.dealt(mul(gamma, resizeRing(x.mask.secret, width))));
  let z = add(taken, sub(flipped, mulConstant(gateByBit(c.opened, flipped), 2)));
  if (width > n) {
    const m = width - n;
    const wrap = gateByBit(g, party.dealt(mul(resizeRing(c.mask.secret, m), maskTopBit(x.mask.secret, m))));
    z = add(z, scaleIntoRing(sub(wrap, mulConstant(gateByBit(c.opened, wrap), 2)), n, width));
  }
  return z;
}
