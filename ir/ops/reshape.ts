import { sizeOf } from "../type.ts";
import { defineOp } from "./define.ts";
import { numbersOf } from "./helpers/attrs.ts";
import { keepScale } from "./helpers/scales.ts";
import { show } from "./helpers/shapes.ts";

export const reshape = defineOp({
  name: "reshape",
  summary: "the same elements in the same order under another shape",
  operands: ["x"],
  attrs: { shape: { kind: "ints", summary: "the whole shape, all extents known" } },
  shape: ([x], attrs) => {
    const shape = numbersOf(attrs, "shape");
    if (shape.some((extent) => extent < 0) || sizeOf(shape) !== sizeOf(x!)) {
      throw new Error(`expected a shape of ${sizeOf(x!)} elements as in ${show(x!)}, found ${show(shape)}`);
    }
    return shape;
  },
  range: ([a]) => a!,
  linear: "joint",
  evaluate: ([x], attrs) => ({ shape: numbersOf(attrs, "shape"), data: x!.data }),
  fixed: "integers",
  scales: keepScale,
});
