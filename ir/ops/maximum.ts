import { binary } from "./helpers/elementwise.ts";
import { interval } from "./helpers/interval.ts";
import { alignScales } from "./helpers/scales.ts";

export const maximum = binary({
  name: "maximum",
  summary: "the larger of x and y",
  f: Math.max,
  range: (a, b) => interval(Math.max(a.lo, b.lo), Math.max(a.hi, b.hi)),
  scales: alignScales,
});
