import { unary } from "./helpers/elementwise.ts";
import { increasing } from "./helpers/interval.ts";
import { activationScale } from "./helpers/scales.ts";

export const sqrt = unary({
  name: "sqrt",
  summary: "square root",
  onnx: "Sqrt",
  f: Math.sqrt,
  range: increasing((x) => Math.sqrt(Math.max(0, x))),
  scales: activationScale,
});
