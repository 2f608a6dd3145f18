import { bool, isFixed } from "../type.ts";
import { defineOp } from "./define.ts";
import { unit } from "./helpers/interval.ts";
import { integerScales } from "./helpers/scales.ts";
import { sameAsFirst } from "./helpers/shapes.ts";
import { map } from "./helpers/tensors.ts";

export const not = defineOp({
  name: "not",
  summary: "logical negation",
  operands: ["x"],
  attrs: {},
  onnx: [{ op: "Not" }],
  shape: sameAsFirst,
  // Negation is affine in any ring: a condition in fixed point keeps its own.
  element: ([x]) => (isFixed(x!) ? x : bool),
  range: () => unit,
  linear: "none",
  evaluate: ([x]) => map(x!, (value) => (value === 0 ? 1 : 0)),
  fixed: "rounded",
  scales: integerScales,
});
