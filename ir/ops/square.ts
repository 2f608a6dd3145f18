import { defineOp, type OpDef } from "./define.ts";
import { shiftDown } from "./helpers/fixed-point.ts";
import { interval } from "./helpers/interval.ts";
import { factorScales, productScale } from "./helpers/scales.ts";
import { sameAsFirst } from "./helpers/shapes.ts";
import { map } from "./helpers/tensors.ts";

const squared: OpDef["evaluate"] = ([x]) => map(x!, (value) => value * value);

/** A product of a value with itself: some systems open one operand for it instead of two. */
export const square = defineOp({
  name: "square",
  summary: "x², elementwise",
  operands: ["x"],
  attrs: {},
  shape: sameAsFirst,
  range: ([a]) => {
    const ends = [a!.lo ** 2, a!.hi ** 2];
    return interval(a!.lo <= 0 && a!.hi >= 0 ? 0 : Math.min(...ends), Math.max(...ends));
  },
  linear: "none",
  evaluate: squared,
  fixed: (raw, attrs, [x], result) => shiftDown(squared(raw, attrs), 2 * x! - result),
  scales: (operands, _attrs, precision, known) => {
    const [wanted] = factorScales(operands, precision, known) as [number];
    return { operands: [wanted], result: Math.min(productScale(precision, known), 2 * wanted) };
  },
});
