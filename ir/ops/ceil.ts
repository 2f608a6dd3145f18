import { unary } from "./helpers/elementwise.ts";
import { increasing } from "./helpers/interval.ts";

export const ceil = unary({
  name: "ceil",
  summary: "smallest integer not below x",
  onnx: "Ceil",
  f: Math.ceil,
  range: increasing(Math.ceil),
});
