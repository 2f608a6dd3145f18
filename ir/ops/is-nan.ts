import { bool } from "../type.ts";
import { unary } from "./helpers/elementwise.ts";
import { unit } from "./helpers/interval.ts";

export const isNan = unary({
  name: "is-nan",
  summary: "whether x is not a number",
  onnx: "IsNaN",
  f: (x) => (Number.isNaN(x) ? 1 : 0),
  range: () => unit,
  element: bool,
});
