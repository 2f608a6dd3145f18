import { repeated } from "./helpers/interval.ts";
import { reduction } from "./helpers/reduce.ts";
import { keepScale } from "./helpers/scales.ts";

export const reduceSum = reduction({
  name: "reduce-sum",
  summary: "sum over axes",
  f: (row) => row.reduce((sum, x) => sum + x, 0),
  range: repeated,
  linear: "joint",
  fixed: "integers",
  scales: keepScale,
});
