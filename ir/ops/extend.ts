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
  element: ([x], attrs) => {
    const width = numberOf(attrs, "width");
    if (!isFixed(x!)) return x!;
    if (width < x.width) throw new Error(`expected a width of at least ${x.width}, found ${width}`);
    return fx(width, x.scale);
  },
  linear: "none",
  fixed: "integers",
  scales: keepScale,
});
