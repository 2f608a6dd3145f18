import { type ElementLoop, elementwise } from "./elementwise.ts";
import { checkInteger, kernel, sameWidth, topMask } from "./kernel.ts";
import { lanesOf, type RingTensor, sizeOf } from "./tensor.ts";

/**
 * Bits [from, from + bits) of every residue, as residues of `bits` bits; zeros where they lie above the width.
 * @throws RangeError if from is not in 0…width−1 or bits not in 1…64.
 */
export function extractBits(a: RingTensor, from: number, bits: number): RingTensor {
  checkInteger("first bit", from, 0, a.width - 1);
  return kernel([a], a.shape, bits, (out, x) => {
    const loop = digitLoops[`${lanesOf(a.width)}→${lanesOf(bits)}`];
    loop(out, x, sizeOf(a.shape), from, topMask(bits));
  });
}

/** The top bit, the sign of the two's complement reading: width 1. */
export function msb(a: RingTensor): RingTensor {
  return extractBits(a, a.width - 1, 1);
}

/**
 * (words >> index) & 1, broadcast: words are 2^k bits wide, index is k bits wide, the result has width 1.
 * @throws RangeError if the widths are not 2^k and k, or the shapes do not broadcast.
 */
export function bitAt(words: RingTensor, index: RingTensor): RingTensor {
  if (words.width !== 2 ** index.width) {
    throw new RangeError(
      `bitAt: words of ${words.width} bits and an index of ${index.width} bits, expected widths of 2^k and k bits`,
    );
  }
  return elementwise(words, index, 1, bitNarrow, bitWide);
}

/**
 * a < b of residues read as unsigned, broadcast: width 1. Only for values that are public or that the caller knows:
 * comparing shares says nothing about the shared values.
 * @throws RangeError if the widths differ or the shapes do not broadcast.
 */
export function lessThan(a: RingTensor, b: RingTensor): RingTensor {
  sameWidth("lessThan", a, b);
  return elementwise(a, b, 1, lessNarrow, lessWide);
}

const bitNarrow: ElementLoop = (out, x, y, at, i, j, count, stepI, stepJ) => {
  for (let end = at + count; at < end; at++, i += stepI, j += stepJ) out[at] = (x[i]! >>> y[j]!) & 1;
};

const bitWide: ElementLoop = (out, x, y, at, i, j, count, stepI, stepJ) => {
  for (let end = at + count; at < end; at++, i += stepI, j += stepJ) {
    // A shift takes its count mod 32; bit 5 of the index selects the lane.
    out[at] = (x[2 * i + (y[j]! >>> 5)]! >>> y[j]!) & 1;
  }
};

// a < b is the borrow of a − b.
const lessNarrow: ElementLoop = (out, x, y, at, i, j, count, stepI, stepJ) => {
  for (let end = at + count; at < end; at++, i += stepI, j += stepJ) {
    const a = x[i]! | 0;
    const b = y[j]! | 0;
    out[at] = ((~a & b) | ((~a | b) & (a - b))) >>> 31;
  }
};

const lessWide: ElementLoop = (out, x, y, at, i, j, count, stepI, stepJ) => {
  for (let end = at + count; at < end; at++, i += stepI, j += stepJ) {
    const a = x[2 * i]! | 0;
    const b = y[2 * j]! | 0;
    const c = x[2 * i + 1]! | 0;
    const d = y[2 * j + 1]! | 0;
    const borrow = ((~a & b) | ((~a | b) & (a - b))) >>> 31;
    out[at] = ((~c & d) | ((~c | d) & (c - d - borrow))) >>> 31;
  }
};

type DigitLoop = (out: Uint32Array, x: Uint32Array, count: number, from: number, mask: number) => void;

// A shift by 32 − from is written as two, because JavaScript takes shift counts mod 32 and from may be 0.
const digitLoops: Readonly<Record<`${1 | 2}→${1 | 2}`, DigitLoop>> = {
  "1→1": (out, x, count, from, mask) => {
    for (let i = 0; i < count; i++) out[i] = (x[i]! >>> from) & mask;
  },
  "1→2": (out, x, count, from) => {
    for (let i = 0; i < count; i++) out[2 * i] = x[i]! >>> from;
  },
  "2→1": (out, x, count, from, mask) => {
    if (from >= 32) {
      for (let i = 0; i < count; i++) out[i] = (x[2 * i + 1]! >>> from) & mask;
    } else {
      for (let i = 0; i < count; i++) {
        out[i] = ((x[2 * i]! >>> from) | ((x[2 * i + 1]! << 1) << (31 - from))) & mask;
      }
    }
  },
  "2→2": (out, x, count, from, mask) => {
    if (from >= 32) {
      for (let i = 0; i < count; i++) out[2 * i] = x[2 * i + 1]! >>> from;
    } else {
      for (let i = 0; i < count; i++) {
        out[2 * i] = (x[2 * i]! >>> from) | ((x[2 * i + 1]! << 1) << (31 - from));
        out[2 * i + 1] = (x[2 * i + 1]! >>> from) & mask;
      }
    }
  },
};
