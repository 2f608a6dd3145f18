import { defineOp } from "./define.ts";
import { keepScale } from "./helpers/scales.ts";
import { sameAsFirst } from "./helpers/shapes.ts";

/** 4-quantize chooses the fixed-point form, which is the type of the result. */
export const share = defineOp({
  name: "share",
  summary: "a value that one party knows becomes additive shares",
  operands: ["x"],
  attrs: {},
  shape: sameAsFirst,
  range: ([a]) => a!,
  evaluate: ([x]) => x!,
  label: () => "shared",
  linear: "joint",
  fixed: "rounded",
  scales: keepScale,
});
