import { reduction } from "./helpers/reduce.ts";
import { keepScale } from "./helpers/scales.ts";

export const reduceMax = reduction({
  name: "reduce-max",
  summary: "maximum over axes",
  f: (row) => row.reduce((most, x) => Math.max(most, x), -Infinity),
  range: (a) => a,
  scales: keepScale,
});
