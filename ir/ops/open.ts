import { defineOp } from "./define.ts";
import { keepScale } from "./helpers/scales.ts";
import { sameAsFirst } from "./helpers/shapes.ts";

export const open = defineOp({
  name: "open",
  summary: "additive shares become a masked value: both parties see x plus a uniform mask, neither sees x",
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
