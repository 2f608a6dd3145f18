import { unary } from "./helpers/elementwise.ts";
import { increasing } from "./helpers/interval.ts";
import { activationScale } from "./helpers/scales.ts";

export const relu = unary({
  name: "relu",
  summary: "max(x, 0)",
  onnx: "Relu",
  f: (x) => Math.max(x, 0),
  range: increasing((x) => Math.max(x, 0)),
  scales: activationScale,
});
