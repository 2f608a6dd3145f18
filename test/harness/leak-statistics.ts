import { lanesOf, type RingTensor, sizeOf } from "../../runtime/ring/tensor.ts";

/** Two-sample statistics of the words that a party received, one by one and in pairs. */

/** Words that the party received in every sample: one list per position of a message. */
export interface Words {
  readonly width: number;
  readonly low: Uint32Array;
  readonly high: Uint32Array;
}

/**
 * Splits received tensors by sample. The samples lie along the axis whose size is a multiple of their number; the
 * factor is the number of positions of each.
 */
export function wordsOf(tensors: readonly RingTensor[], samples: number): Words[] {
  return tensors.flatMap((tensor) => {
    const { shape, width } = tensor;
    const axis = shape.findIndex((size) => size >= samples && size % samples === 0);
    if (axis < 0) throw new Error(`expected an axis of [${shape}] that holds ${samples} samples, found none`);
    const block = shape[axis]! / samples;
    const inner = sizeOf(shape.slice(axis + 1)) * block;
    const outer = sizeOf(shape.slice(0, axis));
    const lanes = lanesOf(width);
    const words: Words[] = [];
    const data = tensor.data!;
    for (let o = 0; o < outer; o++) {
      for (let i = 0; i < inner; i++) {
        const low = new Uint32Array(samples);
        const high = new Uint32Array(samples);
        for (let s = 0; s < samples; s++) {
          const at = ((o * samples + s) * inner + i) * lanes;
          low[s] = data[at]!;
          high[s] = lanes === 2 ? data[at + 1]! : 0;
        }
        words.push({ width, low, high });
      }
    }
    return words;
  });
}

export interface LeakVerdict {
  /** Worst statistic in standard deviations of its distribution under "no leak". */
  readonly z: number;
  /** Name of that statistic. */
  readonly where: string;
  /** Number of statistics. */
  readonly tests: number;
}

/** Largest |z| that occurs by chance in this many tests with probability 1e-6: the normal tail is below e^(−z²/2)/2. */
export const limitOf = (tests: number): number => Math.sqrt(2 * Math.log(Math.max(tests, 1) / 1e-6)) + 0.5;

export function judge(a: readonly Words[], b: readonly Words[]): LeakVerdict {
  if (a.length !== b.length) return { z: Number.POSITIVE_INFINITY, where: "number of words received", tests: 1 };
  let worst: LeakVerdict = { z: 0, where: "nothing received", tests: 0 };
  let tests = 0;
  const note = (z: number, where: string): void => {
    tests += 1;
    if (z > worst.z) worst = { z, where, tests };
  };
  // Both ends of every word, and their distinct values.
  const ends = (words: readonly Words[]) => words.map((w) => ({ low: bits(w, 0, 8), high: bits(w, w.width - 8, 8) }));
  const [p, q] = [ends(a), ends(b)];
  p.forEach((x, i) => {
    note(twoSample(x.low, q[i]!.low), `low byte of word ${i}`);
    if (a[i]!.width > 8) note(twoSample(x.high, q[i]!.high), `high byte of word ${i}`);
    if (a[i]!.width > 20) note(distinctGap(a[i]!, b[i]!), `distinct values of word ${i}`);
  });
  // Words that are uniform one by one may reveal a secret together: a mask used twice, an unmasked share.
  // For a small value in a wide word, such as the wrap bit of a mask, both nibbles are its low nibble.
  const short = a.map((w, i) => isShort(w) && isShort(b[i]!));
  const nibbles = (words: readonly Words[]) =>
    words.map((w, i) => ({ low: bits(w, 0, 4), high: bits(w, short[i] ? 0 : w.width - 4, 4) }));
  const [r, s] = [nibbles(a), nibbles(b)];
  for (const [i, j] of pairs(a.length)) {
    note(twoSample(r[i]!.low, s[i]!.low, r[j]!.low, s[j]!.low), `low nibbles of ${i} and ${j}`);
    note(twoSample(r[i]!.high, s[i]!.high, r[j]!.high, s[j]!.high), `high nibbles of ${i} and ${j}`);
  }
  return { ...worst, tests };
}

/** Whether the word always fits its low nibble. */
const isShort = (w: Words): boolean =>
  w.width <= 4 || (w.low.every((low) => low < 16) && w.high.every((high) => high === 0));

/** All pairs of few words; of many, 1,000 evenly spread pairs. */
function pairs(count: number): (readonly [number, number])[] {
  const all: [number, number][] = [];
  const step = Math.max(1, Math.floor((count * count) / 2 / 1000));
  let k = 0;
  for (let i = 0; i < count; i++)
    for (let j = i + 1; j < count; j++) if (k++ % step === 0 || j === i + 1) all.push([i, j]);
  return all;
}

/** `count` bits from bit `from` of each word; from the lowest where the word is shorter. */
function bits(word: Words, from: number, count: number): Uint8Array {
  const start = Math.max(0, from);
  const mask = 2 ** count - 1;
  const { low, high } = word;
  const out = new Uint8Array(low.length);
  if (start >= 32) for (let k = 0; k < out.length; k++) out[k] = (high[k]! >>> (start - 32)) & mask;
  else if (start + count <= 32) for (let k = 0; k < out.length; k++) out[k] = (low[k]! >>> start) & mask;
  else for (let k = 0; k < out.length; k++) out[k] = ((low[k]! >>> start) | (high[k]! << (32 - start))) & mask;
  return out;
}

/**
 * Two-sample χ² on 256 cells (rare ones merged), as a standard normal deviate by Wilson and Hilferty's cube root: of
 * bytes a and b, or of their nibbles together with nibbles c and d of a second word.
 */
function twoSample(a: Uint8Array, b: Uint8Array, c?: Uint8Array, d?: Uint8Array): number {
  const counts = c && d ? countPairs(a, b, c, d) : countBytes(a, b);
  let statistic = 0;
  let freedom = -1;
  let restA = 0;
  let restB = 0;
  for (let v = 0; v < 256; v++) {
    const x = counts[v]!;
    const y = counts[256 | v]!;
    if (x + y >= 10) {
      statistic += ((x - y) * (x - y)) / (x + y);
      freedom += 1;
    } else {
      restA += x;
      restB += y;
    }
  }
  if (restA + restB > 0) {
    statistic += ((restA - restB) * (restA - restB)) / (restA + restB);
    freedom += 1;
  }
  if (freedom < 1) return 0;
  if (freedom === 1) return Math.sqrt(statistic);
  const spread = 2 / (9 * freedom);
  return ((statistic / freedom) ** (1 / 3) - 1 + spread) / Math.sqrt(spread);
}

// Cells of a in 0…255 and of b in 256…511. Two tables in turn: an increment need not wait for the one before.

function countBytes(a: Uint8Array, b: Uint8Array): Uint32Array {
  const counts = new Uint32Array(1024);
  const even = a.length & ~1;
  for (let k = 0; k < even; k += 2) {
    counts[a[k]!]!++;
    counts[256 | b[k]!]!++;
    counts[512 | a[k + 1]!]!++;
    counts[768 | b[k + 1]!]!++;
  }
  if (even < a.length) {
    counts[a[even]!]!++;
    counts[256 | b[even]!]!++;
  }
  return added(counts);
}

function countPairs(a: Uint8Array, b: Uint8Array, c: Uint8Array, d: Uint8Array): Uint32Array {
  const counts = new Uint32Array(1024);
  const even = a.length & ~1;
  for (let k = 0; k < even; k += 2) {
    counts[a[k]! | (c[k]! << 4)]!++;
    counts[256 | b[k]! | (d[k]! << 4)]!++;
    counts[512 | a[k + 1]! | (c[k + 1]! << 4)]!++;
    counts[768 | b[k + 1]! | (d[k + 1]! << 4)]!++;
  }
  if (even < a.length) {
    counts[a[even]! | (c[even]! << 4)]!++;
    counts[256 | b[even]! | (d[even]! << 4)]!++;
  }
  return added(counts);
}

function added(counts: Uint32Array): Uint32Array {
  for (let cell = 0; cell < 512; cell++) counts[cell]! += counts[512 + cell]!;
  return counts;
}

/** Difference of the numbers of distinct values, in standard deviations of a uniform word's number of repetitions. */
function distinctGap(a: Words, b: Words): number {
  const distinct = (w: Words): number => {
    const mixed = new Uint32Array(w.low.length);
    for (let k = 0; k < mixed.length; k++) mixed[k] = w.low[k]! ^ Math.imul(w.high[k]!, 0x9e3779b1);
    mixed.sort();
    let count = mixed.length > 0 ? 1 : 0;
    for (let k = 1; k < mixed.length; k++) if (mixed[k] !== mixed[k - 1]) count += 1;
    return count;
  };
  const repetitions = a.low.length ** 2 / 2 / 2 ** Math.min(a.width, 32);
  return Math.abs(distinct(a) - distinct(b)) / Math.sqrt(2 * (repetitions + 1)) / 2;
}
