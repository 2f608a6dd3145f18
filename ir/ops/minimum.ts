import { binary } from "./helpers/elementwise.ts";
import { interval } from "./helpers/interval.ts";
import { alignScales } from "./helpers/scales.ts";

export const minimum = binary({
  name: "minimum",
  summary: "the smaller of x and y",
  f: Math.min,
  range: (a, b) => interval(Math.min(a.lo, b.lo), Math.min(a.hi, b.hi)),
  scales: alignScales,
});
