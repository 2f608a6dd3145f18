import { unary } from "./helpers/elementwise.ts";
import { increasing } from "./helpers/interval.ts";
import { activationScale } from "./helpers/scales.ts";

export const exp = unary({
  name: "exp",
  summary: "e to the power x",
  onnx: "Exp",
  f: Math.exp,
  range: increasing(Math.exp),
  scales: activationScale,
});
