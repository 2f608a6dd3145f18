import { unary } from "./helpers/elementwise.ts";
import { increasing } from "./helpers/interval.ts";
import { activationScale } from "./helpers/scales.ts";

export const tanh = unary({
  name: "tanh",
  summary: "hyperbolic tangent",
  onnx: "Tanh",
  f: Math.tanh,
  range: increasing(Math.tanh),
  scales: activationScale,
});
