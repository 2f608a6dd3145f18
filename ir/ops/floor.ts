import { unary } from "./helpers/elementwise.ts";
import { increasing } from "./helpers/interval.ts";

export const floor = unary({
  name: "floor",
  summary: "largest integer not above x",
  onnx: "Floor",
  f: Math.floor,
  range: increasing(Math.floor),
});
