/** A digit of residues: bits [position, position + bits), balanced, −2^(bits−1) ≤ digit < 2^(bits−1). */
export interface Digit {
  readonly position: number;
  readonly bits: number;
  /** How many products of this digit and a weight a signed 32-bit sum holds; infinite if the sum may wrap. */
  readonly block: number;
}

/** Shorter blocks cost more in carried sums than another digit costs. */
const SHORTEST_BLOCK = 30;
const LANE = 32;

/**
 * Digits whose i32 dot products with weights |w| ≤ bound give x · w mod 2^width.
 *
 * Law: x ≡ Σ digit_k · 2^position_k, so x·w ≡ Σ (digit_k · w) · 2^position_k mod 2^width. At a position ≥ width − 32
 * the sum is needed mod 2^32 at most: it may wrap, and the digit may have 16 bits. Below, the sum must be exact: block
 * · 2^(bits−1) · bound < 2^31.
 */
export function digitsFor(width: number, bound: number): Digit[] {
  const exact = Math.max(0, width - LANE);
  const room = (bits: number) => Math.floor((2 ** 31 - 1) / (2 ** (bits - 1) * Math.max(bound, 1)));
  let widest = 16;
  while (room(widest) < SHORTEST_BLOCK) widest--;
  const count = Math.ceil(exact / widest);
  const size = Math.ceil(exact / count);
  const digits: Digit[] = [];
  for (let position = 0; position < exact; position += size) {
    const bits = Math.min(size, exact - position);
    digits.push({ position, bits, block: room(bits) });
  }
  for (let position = exact; position < width; position += 16) {
    digits.push({ position, bits: 16, block: Number.POSITIVE_INFINITY });
  }
  return digits;
}

/** Σ half_k · 2^position_k as two lanes: added to a residue, it makes every digit non-negative (targets/wasm/split.ts). */
export function biasOf(digits: readonly Digit[]): readonly [low: number, high: number] {
  const lanes: [number, number] = [0, 0];
  for (const { position, bits } of digits) {
    const top = position + bits - 1;
    lanes[top >= LANE ? 1 : 0] += 2 ** (top % LANE);
  }
  return lanes;
}
