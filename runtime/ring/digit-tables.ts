import { kernel } from "./kernel.ts";
import { lanesOf, type RingTensor, type Shape, sizeOf } from "./tensor.ts";

/** Word of 2^k bits whose bit v is 1{v < d}, for digits d of k ≤ 6 bits that the dealer knows. */
export function onesBelow(digits: RingTensor): RingTensor {
  if (digits.width > 6) throw new RangeError(`digit tables take digits of at most 6 bits, got ${digits.width}`);
  const width = 2 ** digits.width;
  return kernel([digits], digits.shape, width, (out, data) => {
    const lanes = lanesOf(width);
    for (let i = 0; i < out.length; i++) {
      // Bits 32…63 belong to the digit minus 32. Where that is negative, the store truncates the fraction to 0.
      out[i] = 2 ** Math.min(data[Math.floor(i / lanes)]! - 32 * (i % lanes), 32) - 1;
    }
  });
}

/**
 * All products of the bits of a set, as one word per element: bit S of the word is the product of bits[j] over the j
 * whose position count−1−j is set in S, times `factor`; bit 0 is the factor itself. Width 2^count ≤ 32. `bits` is
 * [count, …shape], `factor` [...shape].
 */
export function subsetProducts(bits: RingTensor, factor: RingTensor): RingTensor {
  const count = bits.shape[0]!;
  const shape: Shape = factor.shape;
  const stride = sizeOf(shape);
  return kernel([bits, factor], shape, 2 ** count, (out, b, f) => {
    for (let i = 0; i < out.length; i++) {
      let word = f[i]!;
      // Doubling: the sets with the next bit are the sets without it, shifted, where that bit is 1.
      for (let j = count - 1, size = 1; j >= 0; j--, size *= 2) {
        if (b[j * stride + i]!) word |= word << size;
      }
      out[i] = word;
    }
  });
}

/**
 * Bits 2^j + 1 … 2^(j+1) − 1 of a word: their offset in the whole word, their offset in the short word, and their mask.
 */
const runs = [1, 2, 3, 4].map((j) => ({ whole: 2 ** j + 1, short: 2 ** j - 1 - j, mask: 2 ** (2 ** j - 1) - 1 }));

/** Words of 2^count ≤ 32 bits without bit 0 and the bits 2^j: 2^count − 1 − count bits. */
export function dropSingles(words: RingTensor): RingTensor {
  const count = Math.log2(words.width);
  return kernel([words], words.shape, words.width - 1 - count, (out, x) => {
    for (const { whole, short, mask } of runs.slice(0, count - 1)) {
      for (let i = 0; i < out.length; i++) out[i] = out[i]! | (((x[i]! >>> whole) & mask) << short);
    }
  });
}

/** The words whose bit 0 is `zeroth`, whose bits 2^j are `singles[j]`, and whose other bits come from `dropSingles`. */
export function withSingles(zeroth: RingTensor, singles: readonly RingTensor[], others?: RingTensor): RingTensor {
  const count = singles.length;
  return kernel([zeroth, others ?? zeroth, ...singles], zeroth.shape, 2 ** count, (out, first, rest, ...single) => {
    out.set(first);
    single.forEach((bits, j) => {
      for (let i = 0; i < out.length; i++) out[i] = out[i]! | (bits[i]! << (2 ** j));
    });
    for (const { whole, short, mask } of runs.slice(0, count - 1)) {
      for (let i = 0; i < out.length; i++) out[i] = out[i]! | (((rest[i]! >>> short) & mask) << whole);
    }
  });
}

/**
 * XOR share of 1{X < r} from opened digit bits and shares of the mask products (K-MDC, protocols.md 1.3):
 *     c = ⊕_d ( Π_{j>d} (ê_j ⊕ b_j) ) ∧ (l̂_d ⊕ a_d),
 * expanded over the subsets whose b is taken. `less` [D, …shape] and `equal` [D−1, …shape] (digits 1…D−1) are public.
 * `products` holds XOR shares of Π b over the subsets, `guarded[d]` those of a_d·Π b. The server's share contains the
 * public constant of the empty set.
 */
export function combineDigits(
  less: RingTensor,
  equal: RingTensor,
  products: RingTensor,
  guarded: readonly RingTensor[],
): RingTensor {
  const count = less.shape[0]!;
  const shape = less.shape.slice(1);
  const stride = sizeOf(shape);
  return kernel([less, equal, products, ...guarded], shape, 1, (out, l, e, b, ...a) => {
    for (let i = 0; i < out.length; i++) {
      let coefficients = 1;
      let word = 0;
      for (let d = count - 1; d >= 0; d--) {
        // The opened bits are public, so branching on them reveals nothing.
        word ^= coefficients & ((l[d * stride + i]! ? b[i]! : 0) ^ a[d]![i]!);
        if (d > 0) {
          const selected = e[(d - 1) * stride + i]! ? coefficients : 0;
          coefficients = selected | (coefficients << (1 << (count - 1 - d)));
        }
      }
      out[i] = parity(word);
    }
  });
}

function parity(word: number): number {
  let folded = word ^ (word >>> 16);
  folded ^= folded >>> 8;
  folded ^= folded >>> 4;
  return (0x6996 >>> (folded & 15)) & 1;
}
