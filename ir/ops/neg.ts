import { unary } from "./helpers/elementwise.ts";
import { interval } from "./helpers/interval.ts";
import { keepScale } from "./helpers/scales.ts";

export const neg = unary({
  name: "neg",
  summary: "−x",
  onnx: "Neg",
  f: (x) => 0 - x,
  range: (a) => interval(-a.hi, -a.lo),
  linear: "joint",
  fixed: "integers",
  scales: keepScale,
});
