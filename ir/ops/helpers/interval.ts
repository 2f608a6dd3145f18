import type { Interval } from "../../type.ts";

export const unbounded: Interval = { lo: -Infinity, hi: Infinity };
export const unit: Interval = { lo: 0, hi: 1 };
export const signedUnit: Interval = { lo: -1, hi: 1 };

export const interval = (lo: number, hi: number): Interval => ({ lo, hi });

export function magnitude(a: Interval): number {
  return Math.max(Math.abs(a.lo), Math.abs(a.hi));
}

/** Smallest interval that contains all. */
export function hull(...all: readonly Interval[]): Interval {
  return { lo: Math.min(...all.map((a) => a.lo)), hi: Math.max(...all.map((a) => a.hi)) };
}

/** Bounds of a function that is monotone in each operand: its values at the corners. 0 times infinity is 0 here. */
export function corners(f: (x: number, y: number) => number, a: Interval, b: Interval): Interval {
  const at = [f(a.lo, b.lo), f(a.lo, b.hi), f(a.hi, b.lo), f(a.hi, b.hi)].map((v) => (Number.isNaN(v) ? 0 : v));
  return { lo: Math.min(...at), hi: Math.max(...at) };
}

export function times(a: Interval, b: Interval): Interval {
  return corners((x, y) => x * y, a, b);
}

/** Sum of `count` values of the interval. */
export function repeated(a: Interval, count: number): Interval {
  return count === 0 ? { lo: 0, hi: 0 } : times(a, { lo: count, hi: count });
}

export const increasing =
  (f: (x: number) => number) =>
  (a: Interval): Interval => ({ lo: f(a.lo), hi: f(a.hi) });
