import { clearHighBits, kernel } from "./kernel.ts";
import { lanesOf, type RingTensor, sizeOf } from "./tensor.ts";

/**
 * Vectors [2^n, …shape] with a 1 at each point of n bits, in a ring of `width` bits. Every element is computed alike.
 */
export function unitVectors(points: RingTensor, width: number): RingTensor {
  const size = 2 ** points.width;
  const lanes = lanesOf(width);
  return kernel([points], [size, ...points.shape], width, (out, data) => {
    const count = data.length;
    for (let j = 0; j < size; j++) {
      // (d − 1) ≫ 31 is 1 for d = 0 and 0 for 0 < d < 2^31.
      for (let e = 0; e < count; e++) out[(j * count + e) * lanes] = ((data[e]! ^ j) - 1) >>> 31;
    }
  });
}

/** Tables read backwards from a public index: row j of [2^n, …shape, …entry] is table[(index − j) mod 2^n]. */
export function reversedTables(table: RingTensor, index: RingTensor): RingTensor {
  const [size, ...entry] = table.shape as [number, ...number[]];
  const block = sizeOf(entry) * lanesOf(table.width);
  return kernel([table, index], [size, ...index.shape, ...entry], table.width, (out, t, x) => {
    for (let j = 0, to = 0; j < size; j++) {
      for (let e = 0; e < x.length; e++, to += block) {
        const from = ((x[e]! - j) & (size - 1)) * block;
        for (let k = 0; k < block; k++) out[to + k] = t[from + k]!;
      }
    }
  });
}

/**
 * Σ_j bit_j·table[(index − j) mod 2^n] for secret bits [...shape, 2^n / 32] in words of 32. The loop reads every entry
 * and selects it with a mask.
 */
export function selectedSums(bits: RingTensor, table: RingTensor, index: RingTensor): RingTensor {
  const [size, ...entry] = table.shape as [number, ...number[]];
  const inner = sizeOf(entry);
  const lanes = lanesOf(table.width);
  return kernel([bits, table, index], [...index.shape, ...entry], table.width, (out, b, t, x) => {
    for (let e = 0; e < x.length; e++) {
      if (inner * lanes === 1) {
        let sum = 0;
        for (let j = 0; j < size; j++)
          sum = (sum + (t[(x[e]! - j) & (size - 1)]! & -((b[(e * size + j) >>> 5]! >>> (j & 31)) & 1))) | 0;
        out[e] = sum;
        continue;
      }
      for (let j = 0; j < size; j++) {
        const kept = -((b[(e * size + j) >>> 5]! >>> (j & 31)) & 1);
        const from = ((x[e]! - j) & (size - 1)) * inner * lanes;
        for (let k = 0; k < inner; k++) {
          const at = (e * inner + k) * lanes;
          const a = out[at]! | 0;
          const c = t[from + k * lanes]! & kept;
          const low = (a + c) | 0;
          out[at] = low;
          if (lanes === 1) continue;
          const carry = ((a & c) | ((a | c) & ~low)) >>> 31;
          out[at + 1] = out[at + 1]! + (t[from + 2 * k + 1]! & kept) + carry;
        }
      }
    }
    clearHighBits(out, table.width);
  });
}

/**
 * Each element's own table at a public index and the indices before it: row p of [count, …shape] is tables[(index − p)
 * mod 2^n].
 */
export function entriesFrom(tables: RingTensor, index: RingTensor, count: number): RingTensor {
  const [size, ...shape] = tables.shape as [number, ...number[]];
  const lanes = lanesOf(tables.width);
  return kernel([tables, index], [count, ...shape], tables.width, (out, t, x) => {
    for (let p = 0, to = 0; p < count; p++) {
      for (let e = 0; e < x.length; e++) {
        const from = (((x[e]! - p) & (size - 1)) * x.length + e) * lanes;
        for (let k = 0; k < lanes; k++) out[to++] = t[from + k]!;
      }
    }
  });
}
