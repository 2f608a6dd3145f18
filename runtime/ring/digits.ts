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

/** Digits of both operands of a product of residues, and its parts. */
export interface DigitPairs {
  readonly digits: readonly Digit[];
  /** Digit i of x times digit j of y belongs at a position; `block` as above. */
  readonly pairs: readonly {
    readonly i: number;
    readonly j: number;
    readonly position: number;
    readonly block: number;
  }[];
}

/**
 * Digits with which x·y mod 2^width, of residues, takes the fewest i32 dot products.
 *
 * Law: x·y ≡ Σ digit_i · digit_j · 2^(position_i + position_j) mod 2^width, and pairs at a position ≥ width give 0. At
 * a position ≥ width − 32 the sum may wrap, as above. Below, block · 2^(2·bits − 2) < 2^31.
 */
export function digitPairsFor(width: number): DigitPairs {
  for (let count = 1; ; count++) {
    const size = Math.ceil(width / count);
    const exact = width > LANE;
    const room = Math.floor((2 ** 31 - 1) / 2 ** (2 * size - 2));
    if (size > 16 || (exact && room < SHORTEST_BLOCK)) continue;
    const digits = Array.from({ length: count }, (_, k) => {
      const position = k * size;
      return { position, bits: Math.min(size, width - position), block: exact ? room : Number.POSITIVE_INFINITY };
    }).filter(({ bits }) => bits > 0);
    const pairs = digits.flatMap((x, i) =>
      digits.flatMap((y, j) => {
        const position = x.position + y.position;
        const block = position >= width - LANE ? Number.POSITIVE_INFINITY : room;
        return position < width ? [{ i, j, position, block }] : [];
      }),
    );
    return { digits, pairs };
  }
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
