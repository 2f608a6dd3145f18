import { reduction } from "./helpers/reduce.ts";
import { keepScale } from "./helpers/scales.ts";

export const reduceMin = reduction({
  name: "reduce-min",
  summary: "minimum over axes",
  f: (row) => row.reduce((least, x) => Math.min(least, x), Infinity),
  range: (a) => a,
  scales: keepScale,
});
