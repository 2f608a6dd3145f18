import { broadcast, type Shape, sameShape } from "../type.ts";
import { defineOp } from "./define.ts";
import { numbersOf } from "./helpers/attrs.ts";
import { keepScale } from "./helpers/scales.ts";
import { show } from "./helpers/shapes.ts";
import { expandTo } from "./helpers/tensors.ts";

function expanded(x: Shape, shape: Shape): Shape {
  const met = broadcast(x, shape);
  if (!met || !sameShape(met, shape))
    throw new Error(`expected a shape that ${show(x)} broadcasts to, found ${show(shape)}`);
  return shape;
}

export const expand = defineOp({
  name: "expand",
  summary: "x repeated along axes of extent 1 up to the whole shape",
  operands: ["x"],
  attrs: { shape: { kind: "ints", summary: "shape of the result" } },
  shape: ([x], attrs) => expanded(x!, numbersOf(attrs, "shape")),
  range: ([a]) => a!,
  linear: "joint",
  evaluate: ([x], attrs) => expandTo(x!, expanded(x!.shape, numbersOf(attrs, "shape"))),
  fixed: "integers",
  scales: keepScale,
});
