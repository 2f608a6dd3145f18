import { defineOp } from "./define.ts";
import { keepScale } from "./helpers/scales.ts";
import { sameAsFirst } from "./helpers/shapes.ts";

export const open = defineOp({
  name: "open",
  summary: "additive shares become an opened masked value: both see x plus a uniform mask, nobody x",
  operands: ["x"],
  attrs: {},
  shape: sameAsFirst,
  range: ([a]) => a!,
  evaluate: ([x]) => x!,
  element: ([x]) => x!,
  sharing: "masked",
  linear: "none",
  fixed: "integers",
  scales: keepScale,
});
