import type { Interval } from "../type.ts";
import { binary } from "./helpers/elementwise.ts";
import { corners, interval, magnitude, unbounded } from "./helpers/interval.ts";
import { activationScale } from "./helpers/scales.ts";

/**
 * Monotone in each operand for a positive base; integer exponents are bounded by the magnitude; otherwise unbounded.
 */
function powerRange(a: Interval, b: Interval): Interval {
  if (a.lo > 0) return corners((x, y) => x ** y, a, b);
  if (b.lo === b.hi && Number.isInteger(b.lo) && b.lo >= 0) {
    const most = magnitude(a) ** b.lo;
    return b.lo % 2 === 0 ? interval(0, most) : interval(a.lo ** b.lo, a.hi ** b.lo);
  }
  return a.lo === 0 && b.lo > 0 ? interval(0, Math.max(a.hi ** b.lo, a.hi ** b.hi)) : unbounded;
}

export const pow = binary({
  name: "pow",
  summary: "x to the power y",
  onnx: "Pow",
  f: (x, y) => x ** y,
  range: powerRange,
  scales: activationScale,
});
