import { bool } from "../type.ts";
import { unary } from "./helpers/elementwise.ts";
import { unit } from "./helpers/interval.ts";

export const not = unary({
  name: "not",
  summary: "logical negation",
  onnx: "Not",
  f: (x) => (x === 0 ? 1 : 0),
  range: () => unit,
  element: bool,
});
