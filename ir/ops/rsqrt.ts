import { unary } from "./helpers/elementwise.ts";
import { interval } from "./helpers/interval.ts";
import { activationScale } from "./helpers/scales.ts";

export const rsqrt = unary({
  name: "rsqrt",
  summary: "1 / √x",
  f: (x) => 1 / Math.sqrt(x),
  range: (a) => interval(1 / Math.sqrt(Math.max(0, a.hi)), 1 / Math.sqrt(Math.max(0, a.lo))),
  scales: activationScale,
});
