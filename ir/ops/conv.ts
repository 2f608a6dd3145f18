import { sizeOf } from "../type.ts";
import { defineOp } from "./define.ts";
import { numberListOf } from "./helpers/attrs.ts";
import { convOf, convShape, exactConv } from "./helpers/convolution.ts";
import { shiftDown } from "./helpers/fixed-point.ts";
import { hull, interval, repeated, times } from "./helpers/interval.ts";
import { capScale, scaleByPublic } from "./helpers/scales.ts";
import { windowAttrs } from "./helpers/windows.ts";

export const conv = defineOp({
  name: "conv",
  summary: "convolution of x [N, C, …] with w [M, C / group, …] over the spatial axes, with zero padding",
  operands: ["x", "w"],
  attrs: { ...windowAttrs, group: { kind: "int", default: 1, summary: "number of independent groups of channels" } },
  shape: ([x, w], attrs) => convShape(x!, w!, attrs),
  range: ([x, w], attrs, [, shape]) => {
    const term = times(x!, w!);
    const padded = numberListOf(attrs, "pads").some((n) => n > 0);
    return repeated(padded ? hull(term, interval(0, 0)) : term, sizeOf(shape!.slice(1)));
  },
  linear: "each",
  evaluate: ([x, w], attrs) => convOf(x!, w!, attrs),
  fixed: ([x, w], attrs, [a, b], result) => shiftDown(exactConv(x!, w!, attrs), a! + b! - result),
  scales: (operands, _attrs, precision, known) => {
    const wanted = operands.map((scale) => capScale(scale, precision.value));
    const both = { operands: wanted, result: wanted.reduce((sum, scale) => sum + scale, 0) };
    return scaleByPublic(operands, precision, known) ?? both;
  },
});
