import type { Builder, Lane, Term } from "../kernels/index.ts";
import { isWorthDeferring } from "./deferred.ts";
import { deferElements, type ElementCode } from "./deferred-elements.ts";
import { type ElementLoop, elementwise } from "./elementwise.ts";
import { checkInteger, kernel, sameWidth, topMask } from "./kernel.ts";
import { lanesOf, type RingTensor, sizeOf } from "./tensor.ts";

/**
 * Bits [from, from + bits) of every residue, as residues of `bits` bits; zeros where they lie above the width.
 * @throws RangeError if from is not in 0…width−1 or bits not in 1…64.
 */
export function extractBits(a: RingTensor, from: number, bits: number): RingTensor {
  checkInteger("first bit", from, 0, a.width - 1);
  if (isWorthDeferring(sizeOf(a.shape), [a])) {
    return deferElements(a.shape, bits, [a], (code, x) => digitCode(code, x!, from, bits));
  }
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
  return elementwise(words, index, 1, { narrow: bitNarrow, wide: bitWide, code: bitCode });
}

/**
 * a < b of residues read as unsigned, broadcast: width 1. Only for values that are public or that the caller knows:
 * comparing shares says nothing about the shared values.
 * @throws RangeError if the widths differ or the shapes do not broadcast.
 */
export function lessThan(a: RingTensor, b: RingTensor): RingTensor {
  sameWidth("lessThan", a, b);
  return elementwise(a, b, 1, { narrow: lessNarrow, wide: lessWide, code: lessCode });
}

/** Bits [from, from + bits) of an element, in the lane of that many bits. */
export function digitCode(code: Builder, x: Term, from: number, bits: number): Term {
  const digit = code.mask(code.shr(code.loose(x, Math.min(64, from + bits)), from), bits);
  return inLane(code, digit, bits);
}

/** An element that fits `width` bits, in their lane. */
export function inLane(code: Builder, x: Term, width: number): Term {
  const lane = lanesOf(width) === 1 ? "u32" : "u64";
  return x.lane === lane ? x : lane === "u32" ? code.low(x) : code.widen(x);
}

/** (word >> index) & 1: the bit moves to the top by a product with a power of two, for vectors have one count for all. */
const bitCode: ElementCode = (code, word, index) => {
  const top = word!.lane === "u32" ? 31 : 63;
  const by = code.sub(code.constant("u32", top), inLane(code, index!, 32));
  return inLane(code, code.shr(code.mul(word!, powerOf(code, by, word!.lane)), top), 1);
};

/** 2^x in a lane, for a u32 x below its bits. */
export function powerOf(code: Builder, x: Term, lane: Lane): Term {
  if (lane === "u32") return code.power(x);
  const isHigh = code.shr(x, 5);
  const power = code.power(code.and(x, code.constant("u32", 31)));
  const high = code.mul(power, isHigh);
  return code.or(code.widen(code.sub(power, high)), code.shl(code.widen(high), 32));
}

/** a < b is the borrow of a − b. */
const lessCode: ElementCode = (code, a, b) => {
  const top = a!.lane === "u32" ? 31 : 63;
  const ones = a!.lane === "u32" ? code.words("u32", 0xffffffff, 0) : code.words("u64", 0xffffffff, 0xffffffff);
  const not = code.xor(a!, ones);
  const borrow = code.or(code.and(not, b!), code.and(code.or(not, b!), code.sub(a!, b!)));
  return inLane(code, code.shr(borrow, top), 1);
};

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
