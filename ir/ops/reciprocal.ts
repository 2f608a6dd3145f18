import { unary } from "./helpers/elementwise.ts";
import { interval, unbounded } from "./helpers/interval.ts";
import { positiveScale } from "./helpers/scales.ts";

export const reciprocal = unary({
  name: "reciprocal",
  summary: "1 / x",
  onnx: "Reciprocal",
  f: (x) => 1 / x,
  range: (a) => (a.lo <= 0 && a.hi >= 0 ? unbounded : interval(1 / a.hi, 1 / a.lo)),
  scales: positiveScale,
});
