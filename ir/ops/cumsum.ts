import { defineOp } from "./define.ts";
import { numberOf } from "./helpers/attrs.ts";
import { hull, repeated } from "./helpers/interval.ts";
import { keepScale } from "./helpers/scales.ts";
import { axisOf } from "./helpers/shapes.ts";
import { splitAtAxis } from "./helpers/tensors.ts";

export const cumsum = defineOp({
  name: "cumsum",
  summary: "running sum along an axis, each element included",
  operands: ["x"],
  attrs: { axis: { kind: "int" } },
  shape: ([x], attrs) => {
    axisOf(numberOf(attrs, "axis"), x!.length);
    return x!;
  },
  range: ([a], attrs, [x]) => hull(a!, repeated(a!, x![axisOf(numberOf(attrs, "axis"), x!.length)]!)),
  linear: "joint",
  evaluate: ([x], attrs) => {
    const { size, inner } = splitAtAxis(x!.shape, axisOf(numberOf(attrs, "axis"), x!.shape.length));
    const data = x!.data.slice();
    for (let i = 0; i < data.length; i++) {
      if (Math.floor(i / inner) % size > 0) data[i] = data[i]! + data[i - inner]!;
    }
    return { shape: x!.shape, data };
  },
  fixed: "integers",
  scales: keepScale,
});
