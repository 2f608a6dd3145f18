import { i64, isFixed, sizeOf } from "../type.ts";
import { defineOp } from "./define.ts";
import { boolOf, numberOf } from "./helpers/attrs.ts";
import { interval } from "./helpers/interval.ts";
import { keepScale } from "./helpers/scales.ts";
import { axisOf, reducedShape } from "./helpers/shapes.ts";
import { rowsOf } from "./helpers/tensors.ts";

export const argmax = defineOp({
  name: "argmax",
  summary: "index of the first maximum along an axis",
  operands: ["x"],
  attrs: { axis: { kind: "int" }, keepdims: { kind: "bool", default: true } },
  shape: ([x], attrs) => reducedShape(x!, [numberOf(attrs, "axis")], boolOf(attrs, "keepdims")),
  element: (_operands, _attrs, current) => (current && isFixed(current) ? current : i64),
  anyRing: true,
  range: (_ranges, attrs, [x]) => interval(0, Math.max(0, x![axisOf(numberOf(attrs, "axis"), x!.length)]! - 1)),
  linear: "none",
  evaluate: ([x], attrs) => {
    const axis = numberOf(attrs, "axis");
    const shape = reducedShape(x!.shape, [axis], boolOf(attrs, "keepdims"));
    const { data, length } = rowsOf(x!, [axis]);
    const out = new Float64Array(sizeOf(shape)).map((_, at) => {
      const row = data.subarray(at * length, (at + 1) * length);
      return row.reduce((best, value, i) => (value > row[best]! ? i : best), 0);
    });
    return { shape, data: out };
  },
  fixed: "rounded",
  scales: (operands, attrs, precision) => ({ ...keepScale(operands, attrs, precision), result: 0 }),
});
