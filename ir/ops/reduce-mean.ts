import { reduction } from "./helpers/reduce.ts";
import { keepScale } from "./helpers/scales.ts";

export const reduceMean = reduction({
  name: "reduce-mean",
  summary: "mean over axes; on shares, a reduce-sum and a mul by 1/n",
  f: (row) => row.reduce((sum, x) => sum + x, 0) / row.length,
  range: (a) => a,
  scales: keepScale,
});
