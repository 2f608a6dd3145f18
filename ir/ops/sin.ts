import { unary } from "./helpers/elementwise.ts";
import { signedUnit } from "./helpers/interval.ts";
import { activationScale } from "./helpers/scales.ts";

export const sin = unary({
  name: "sin",
  summary: "sine",
  onnx: "Sin",
  f: Math.sin,
  range: () => signedUnit,
  scales: activationScale,
});
