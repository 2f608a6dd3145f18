import type { Builder, Term } from "../kernels/index.ts";
import { powerOf } from "./bits.ts";
import { defer, isWorthDeferring, type Operand } from "./deferred.ts";
import { deferElements } from "./deferred-elements.ts";
import { kernel } from "./kernel.ts";
import { lanesOf, type RingTensor, type Shape, sizeOf } from "./tensor.ts";

/** Word of 2^k bits whose bit v is 1{v < d}, for digits d of k ≤ 6 bits that the dealer knows. */
export function onesBelow(digits: RingTensor): RingTensor {
  if (digits.width > 6) throw new RangeError(`digit tables take digits of at most 6 bits, got ${digits.width}`);
  const width = 2 ** digits.width;
  if (isWorthDeferring(sizeOf(digits.shape), [digits])) {
    return deferElements(digits.shape, width, [digits], (code, digit) => {
      const lane = lanesOf(width) === 1 ? "u32" : "u64";
      return code.sub(powerOf(code, digit!, lane), code.constant(lane, 1));
    });
  }
  return kernel([digits], digits.shape, width, (out, data) => {
    if (lanesOf(width) === 1) {
      for (let i = 0; i < out.length; i++) out[i] = (1 << data[i]!) - 1;
      return;
    }
    for (let i = 0; i < data.length; i++) {
      // A shift takes its count mod 32; bit 5 of the digit says that the low word is full.
      const ones = (1 << data[i]!) - 1;
      const full = -(data[i]! >>> 5);
      out[2 * i] = ones | full;
      out[2 * i + 1] = ones & full;
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
  if (isWorthDeferring(stride, [bits, factor])) {
    return defer(shape, 2 ** count, {
      ...{ operands: [rows(bits), rows(factor)], rowLength: stride, reads: count },
      emit: (code, read) => {
        let word = read(1);
        for (let j = count - 1, size = 1; j >= 0; j--, size *= 2) {
          word = code.or(word, code.and(code.shl(word, size), allOf(code, read(0, j * stride))));
        }
        return word;
      },
    });
  }
  return kernel([bits, factor], shape, 2 ** count, (out, b, f) => {
    out.set(f);
    // Doubling: the sets with the next bit are the sets without it, shifted, where that bit is 1.
    for (let j = count - 1, size = 1; j >= 0; j--, size *= 2) {
      for (let i = 0; i < out.length; i++) out[i] = out[i]! | ((out[i]! << size) & -b[j * stride + i]!);
    }
  });
}

/** An operand with an element for each, or several, which the recipe reads by their distance. */
const rows = (tensor: RingTensor): Operand => ({ tensor, pattern: "each" });

/** All ones where the bit is 1. */
const allOf = (code: Builder, bit: Term): Term => code.sub(code.constant("u32", 0), bit);

/**
 * Bits 2^j + 1 … 2^(j+1) − 1 of a word: their offset in the whole word, their offset in the short word, and their mask.
 */
const runs = [1, 2, 3, 4].map((j) => ({ whole: 2 ** j + 1, short: 2 ** j - 1 - j, mask: 2 ** (2 ** j - 1) - 1 }));

/** Words of 2^count ≤ 32 bits without bit 0 and the bits 2^j: 2^count − 1 − count bits. */
export function dropSingles(words: RingTensor): RingTensor {
  const count = Math.log2(words.width);
  const width = words.width - 1 - count;
  if (isWorthDeferring(sizeOf(words.shape), [words])) {
    return deferElements(words.shape, width, [words], (code, x) =>
      runs.slice(0, count - 1).reduce<Term>(
        (kept, { whole, short, mask }) => {
          const run = code.and(code.shr(x!, whole), code.words("u32", mask, 0));
          return code.or(kept, code.shl(run, short));
        },
        code.constant("u32", 0),
      ),
    );
  }
  return kernel([words], words.shape, width, (out, x) => {
    for (const { whole, short, mask } of runs.slice(0, count - 1)) {
      for (let i = 0; i < out.length; i++) out[i] = out[i]! | (((x[i]! >>> whole) & mask) << short);
    }
  });
}

/** The words whose bit 0 is `zeroth`, whose bits 2^j are `singles[j]`, and whose other bits come from `dropSingles`. */
export function withSingles(zeroth: RingTensor, singles: readonly RingTensor[], others?: RingTensor): RingTensor {
  const count = singles.length;
  const inputs = [zeroth, others ?? zeroth, ...singles];
  if (isWorthDeferring(sizeOf(zeroth.shape), inputs)) {
    return deferElements(zeroth.shape, 2 ** count, inputs, (code, first, rest, ...single) => {
      const bits = single.reduce((word, bit, j) => code.or(word, code.shl(bit, 2 ** j)), first!);
      return runs.slice(0, count - 1).reduce((word, { whole, short, mask }) => {
        const run = code.and(code.shr(rest!, short), code.words("u32", mask, 0));
        return code.or(word, code.shl(run, whole));
      }, bits);
    });
  }
  return kernel(inputs, zeroth.shape, 2 ** count, (out, first, rest, ...single) => {
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
  if (isWorthDeferring(stride, [less, equal, products, ...guarded])) {
    return defer(shape, 1, {
      ...{ operands: [less, equal, products, ...guarded].map(rows), rowLength: stride, reads: count },
      emit: (code, read) => {
        let coefficients = code.constant("u32", 1);
        let word = code.constant("u32", 0);
        for (let d = count - 1; d >= 0; d--) {
          const below = code.xor(code.and(read(2), allOf(code, read(0, d * stride))), read(3 + d));
          word = code.xor(word, code.and(coefficients, below));
          if (d === 0) break;
          const selected = code.and(coefficients, allOf(code, read(1, (d - 1) * stride)));
          coefficients = code.or(selected, code.shl(coefficients, 1 << (count - 1 - d)));
        }
        // The parity of the word.
        for (const half of [16, 8, 4, 2, 1]) word = code.xor(word, code.shr(word, half));
        return code.and(word, code.constant("u32", 1));
      },
    });
  }
  return kernel([less, equal, products, ...guarded], shape, 1, (out, l, e, b, ...a) => {
    const coefficients = new Int32Array(tile);
    const words = new Int32Array(tile);
    for (let from = 0; from < stride; from += tile) {
      const size = Math.min(tile, stride - from);
      coefficients.fill(1);
      words.fill(0);
      for (let d = count - 1; d >= 0; d--) {
        const [guard, shift] = [a[d]!, 1 << (count - 1 - d)];
        for (let i = 0, at = from; i < size; i++, at++) {
          const below = (b[at]! & -l[d * stride + at]!) ^ guard[at]!;
          words[i] = words[i]! ^ (coefficients[i]! & below);
        }
        if (d === 0) break;
        for (let i = 0, at = (d - 1) * stride + from; i < size; i++, at++) {
          const selected = coefficients[i]! & -e[at]!;
          coefficients[i] = selected | (coefficients[i]! << shift);
        }
      }
      for (let i = 0; i < size; i++) out[from + i] = parity(words[i]!);
    }
  });
}

/** Elements at a time: their words stay in the cache of one core. */
const tile = 1024;

function parity(word: number): number {
  let folded = word ^ (word >>> 16);
  folded ^= folded >>> 8;
  folded ^= folded >>> 4;
  return (0x6996 >>> (folded & 15)) & 1;
}
