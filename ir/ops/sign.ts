import { unary } from "./helpers/elementwise.ts";
import { increasing } from "./helpers/interval.ts";
import { keepScale } from "./helpers/scales.ts";

export const sign = unary({
  name: "sign",
  summary: "−1, 0 or 1",
  onnx: "Sign",
  f: Math.sign,
  range: increasing(Math.sign),
  scales: (operands, attrs, precision) => ({ ...keepScale(operands, attrs, precision), result: 0 }),
});
