import { defineOp } from "./define.ts";
import { keepScale } from "./helpers/scales.ts";
import { sameAsFirst } from "./helpers/shapes.ts";

/** An input of which each party holds a residue. Only this operator reads it. */
export const takeOver = defineOp({
  name: "take-over",
  summary: "an input that arrives as shares, in fresh shares",
  operands: ["x"],
  attrs: {},
  shape: sameAsFirst,
  range: ([a]) => a!,
  evaluate: ([x]) => x!,
  label: () => "shared",
  linear: "none",
  fixed: "integers",
  scales: keepScale,
});
