import { sizeOf } from "../type.ts";
import { defineOp } from "./define.ts";
import { numberListOf } from "./helpers/attrs.ts";
import { keepScale } from "./helpers/scales.ts";
import { formatShape } from "./helpers/shapes.ts";

export const reshape = defineOp({
  name: "reshape",
  summary: "the same elements in the same order under another shape",
  operands: ["x"],
  attrs: { shape: { kind: "ints", summary: "the full shape, all sizes known" } },
  shape: ([x], attrs) => {
    const shape = numberListOf(attrs, "shape");
    if (shape.some((size) => size < 0) || sizeOf(shape) !== sizeOf(x!)) {
      throw new Error(
        `expected a shape of ${sizeOf(x!)} elements as in ${formatShape(x!)}, found ${formatShape(shape)}`,
      );
    }
    return shape;
  },
  range: ([a]) => a!,
  linear: "joint",
  evaluate: ([x], attrs) => ({ shape: numberListOf(attrs, "shape"), data: x!.data }),
  fixed: "integers",
  scales: keepScale,
});
