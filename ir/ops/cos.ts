import { unary } from "./helpers/elementwise.ts";
import { signedUnit } from "./helpers/interval.ts";
import { activationScale } from "./helpers/scales.ts";

export const cos = unary({
  name: "cos",
  summary: "cosine",
  onnx: "Cos",
  f: Math.cos,
  range: () => signedUnit,
  scales: activationScale,
});
