import type { Party, Wire } from "../../core/index.ts";
import type { RingTensor } from "../../ring/index.ts";
import { add, matmul, mul, mulConstant, narrow, reduceSum, sub } from "../../ring/index.ts";
import { gate, lift, maskShare, parts, publicShare, raise, resize, widenBit } from "./wires.ts";

/**
 * Elementwise product of two wires (broadcast), as shares in a ring of `width` bits: no traffic between the parties,
 *     xy = (a − r + 2^n·g·w)(b − s + 2^k·h·v)
 * expanded into public factors times what the dealer hands out (ours: docs/protocols/masked-product.md).
 */
export function wireProduct(party: Party, x: Wire, y: Wire, width: number): RingTensor {
  const n = x.opened.width;
  const k = y.opened.width;
  const { a, g } = parts(x, width);
  const { a: b, g: h } = parts(y, width);
  const r = x.mask.secret;
  const s = y.mask.secret;
  let z = publicShare(party, mul(a, b));
  z = sub(z, mul(a, maskShare(party, y.mask, width)));
  z = sub(z, mul(maskShare(party, x.mask, width), b));
  z = add(z, party.dealt(mul(resize(r, width), resize(s, width))));
  if (width > k) {
    // b's wrap: 2^k·h·v·(a − r)
    const m = width - k;
    const v = gate(h, party.dealt(widenBit(s, m)));
    const rv = gate(h, party.dealt(mul(resize(r, m), widenBit(s, m))));
    z = add(z, raise(sub(mul(narrow(a, m), v), rv), k, width));
  }
  if (width > n) {
    const m = width - n;
    const w = gate(g, party.dealt(widenBit(r, m)));
    const ws = gate(g, party.dealt(mul(widenBit(r, m), resize(s, m))));
    z = add(z, raise(sub(mul(w, narrow(b, m)), ws), n, width));
  }
  if (width > n + k) {
    const m = width - n - k;
    const wv = party.dealt(mul(widenBit(r, m), widenBit(s, m)));
    z = add(z, raise(gate(g, gate(h, wv)), n + k, width));
  }
  return z;
}

/**
 * Σ x² over the last axis (kept, extent 1) of a wire, as shares in a ring of `width` bits, without traffic:
 *     x² = a² − 2a·r + r² + 2^(n+1)·g·w·(a − r) + 2^(2n)·g·w
 * (protocols.md 1.8; the dealer hands out Σr² once per row).
 */
export function sumOfSquares(party: Party, x: Wire, width: number): RingTensor {
  const n = x.opened.width;
  const axis = [x.opened.shape.length - 1];
  const { a, g } = parts(x, width);
  const secret = resize(x.mask.secret, width);
  const cross = mul(a, maskShare(party, x.mask, width));
  let z = sub(publicShare(party, mul(a, a)), mulConstant(cross, 2));
  if (width > n + 1) {
    const m = width - n - 1;
    const bit = widenBit(x.mask.secret, m);
    const w = party.dealt(bit);
    const rw = party.dealt(mul(bit, resize(x.mask.secret, m)));
    z = add(z, raise(gate(g, sub(mul(narrow(a, m), w), rw)), n + 1, width));
    if (width > 2 * n) z = add(z, raise(gate(g, narrow(w, width - 2 * n)), 2 * n, width));
  }
  return add(reduceSum(z, axis, true), party.dealt(reduceSum(mul(secret, secret), axis, true)));
}

/**
 * Bilinear product of two wires of the same ring, as shares in that ring: X̂∘Ŷ − X̂∘[s] − [r]∘Ŷ + [r∘s] (LIN-SS,
 * protocols.md 1.1). No traffic. `keep` picks the entries that are wanted, in both the result and what the dealer sends.
 */
export function wireBilinear(
  party: Party,
  x: Wire,
  y: Wire,
  product: (x: RingTensor, y: RingTensor) => RingTensor,
  keep: (full: RingTensor) => RingTensor = (full) => full,
): RingTensor {
  const width = x.opened.width;
  const own = sub(publicShare(party, x.opened), maskShare(party, x.mask, width));
  const z = sub(product(own, y.opened), product(x.opened, maskShare(party, y.mask, width)));
  return add(keep(z), party.dealt(keep(product(x.mask.secret, y.mask.secret))));
}

/** Matrix product of two wires. */
export const wireMatmul = (party: Party, x: Wire, y: Wire, keep: (full: RingTensor) => RingTensor): RingTensor =>
  wireBilinear(party, x, y, matmul, keep);

/** Share of c (0 or 1) in a ring of `width` bits, from an opened bit ĉ = c ⊕ γ: c = ĉ + (1 − 2ĉ)·γ. No traffic. */
export function bitToRing(party: Party, c: Wire, width: number): RingTensor {
  const gamma = party.dealt(resize(c.mask.secret, width));
  const sign = mulConstant(gate(c.opened, gamma), 2);
  return add(publicShare(party, resize(c.opened, width)), sub(gamma, sign));
}

/**
 * c·x as shares in a ring of `width` bits, from an opened bit and an opened wire: no traffic,
 *     c·x = ĉ·(a − r + 2^n·g·w) + (1 − 2ĉ)·(a·γ − γr + 2^n·g·γw)
 * (MUX, protocols.md 1.3). Shapes broadcast. `own`: the share of x in that ring, where the caller has it.
 */
export function select(party: Party, c: Wire, x: Wire, width: number, own = lift(party, x, width)): RingTensor {
  const n = x.opened.width;
  const { a, g } = parts(x, width);
  const gamma = resize(c.mask.secret, width);
  const taken = gate(c.opened, own);
  const flipped = sub(mul(a, party.dealt(gamma)), party.dealt(mul(gamma, resize(x.mask.secret, width))));
  let z = add(taken, sub(flipped, mulConstant(gate(c.opened, flipped), 2)));
  if (width > n) {
    const m = width - n;
    const wrap = gate(g, party.dealt(mul(resize(c.mask.secret, m), widenBit(x.mask.secret, m))));
    z = add(z, raise(sub(wrap, mulConstant(gate(c.opened, wrap), 2)), n, width));
  }
  return z;
}
