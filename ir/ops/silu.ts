import { unary } from "./helpers/elementwise.ts";
import { interval } from "./helpers/interval.ts";
import { activationScale } from "./helpers/scales.ts";

const f = (x: number): number => (x === -Infinity ? 0 : x / (1 + Math.exp(-x)));

/** Minimum of x · sigmoid(x), at x = −1.27846454276107, rounded down. */
const lowerBound = -0.278464542762;

export const silu = unary({
  name: "silu",
  summary: "x · sigmoid(x)",
  f: f,
  range: (a) => interval(a.lo >= 0 ? f(a.lo) : lowerBound, Math.max(0, f(a.hi))),
  scales: activationScale,
});
