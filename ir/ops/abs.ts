import { unary } from "./helpers/elementwise.ts";
import { interval, magnitude } from "./helpers/interval.ts";
import { keepScale } from "./helpers/scales.ts";

export const abs = unary({
  name: "abs",
  summary: "magnitude of x",
  onnx: "Abs",
  f: Math.abs,
  range: (a) => interval(a.lo > 0 ? a.lo : a.hi < 0 ? -a.hi : 0, magnitude(a)),
  scales: keepScale,
});
