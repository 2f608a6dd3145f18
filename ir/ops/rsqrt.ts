import { unary } from "./helpers/elementwise.ts";
import { interval, unbounded } from "./helpers/interval.ts";
import { positiveScale } from "./helpers/scales.ts";

export const rsqrt = unary({
  name: "rsqrt",
  summary: "1 / √x",
  f: (x) => 1 / Math.sqrt(x),
  // At a negative zero it is −∞.
  range: (a) => (a.lo > 0 ? interval(1 / Math.sqrt(a.hi), 1 / Math.sqrt(a.lo)) : unbounded),
  scales: positiveScale,
});
