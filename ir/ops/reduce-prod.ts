import type { Interval } from "../type.ts";
import { interval, magnitude } from "./helpers/interval.ts";
import { reduction } from "./helpers/reduce.ts";

/** A product of n factors of the interval. */
function power(a: Interval, count: number): Interval {
  if (count === 0) return interval(1, 1);
  if (a.lo >= 0) return interval(a.lo ** count, a.hi ** count);
  const most = magnitude(a) ** count;
  return interval(-most, most);
}

export const reduceProd = reduction({
  name: "reduce-prod",
  summary: "product over axes",
  f: (row) => row.reduce((product, x) => product * x, 1),
  range: power,
});
