import { fx, isFixed } from "../type.ts";
import { defineOp } from "./define.ts";
import { numberOf } from "./helpers/attrs.ts";
import { keepScale } from "./helpers/scales.ts";
import { sameAsFirst } from "./helpers/shapes.ts";

export const extend = defineOp({
  name: "extend",
  summary: "the same integer in a wider ring",
  operands: ["x"],
  attrs: { width: { kind: "int", summary: "bits of the ring of the result" } },
  shape: sameAsFirst,
  range: ([a]) => a!,
  evaluate: ([x]) => x!,
  element: ([x], attrs) => (isFixed(x!) ? fx(numberOf(attrs, "width"), x.scale) : x!),
  linear: "none",
  fixed: "integers",
  scales: keepScale,
});
