import { fx, isFixed } from "../type.ts";
import { defineOp } from "./define.ts";
import { numberOf } from "./helpers/attrs.ts";
import { keepScale } from "./helpers/scales.ts";
import { sameAsFirst } from "./helpers/shapes.ts";

export const narrow = defineOp({
  name: "narrow",
  summary: "the residue in a smaller ring, which still holds the value",
  operands: ["x"],
  attrs: { width: { kind: "int", summary: "bits of the ring of the result" } },
  shape: sameAsFirst,
  range: ([a]) => a!,
  evaluate: ([x]) => x!,
  element: ([x], attrs) => (isFixed(x!) ? fx(numberOf(attrs, "width"), x.scale) : x!),
  linear: "joint",
  fixed: "integers",
  scales: keepScale,
});
