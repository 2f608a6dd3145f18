import { unary } from "./helpers/elementwise.ts";
import { increasing } from "./helpers/interval.ts";
import { activationScale } from "./helpers/scales.ts";

const logistic = (x: number): number => 1 / (1 + Math.exp(-x));

export const sigmoid = unary({
  name: "sigmoid",
  summary: "1 / (1 + exp(−x))",
  onnx: "Sigmoid",
  f: logistic,
  range: increasing(logistic),
  scales: activationScale,
});
