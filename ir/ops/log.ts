import { unary } from "./helpers/elementwise.ts";
import { increasing } from "./helpers/interval.ts";
import { positiveScale } from "./helpers/scales.ts";

export const log = unary({
  name: "log",
  summary: "natural logarithm",
  onnx: "Log",
  f: Math.log,
  range: increasing((x) => Math.log(Math.max(0, x))),
  scales: positiveScale,
});
