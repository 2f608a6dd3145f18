import { broadcast, type Shape, sameShape } from "../type.ts";
import { defineOp } from "./define.ts";
import { numberListOf } from "./helpers/attrs.ts";
import { keepScale } from "./helpers/scales.ts";
import { formatShape } from "./helpers/shapes.ts";
import { expandTo } from "./helpers/tensors.ts";

function expandedShape(x: Shape, shape: Shape): Shape {
  const met = broadcast(x, shape);
  if (!met || !sameShape(met, shape))
    throw new Error(`expected a shape that ${formatShape(x)} broadcasts to, found ${formatShape(shape)}`);
  return shape;
}

export const expand = defineOp({
  name: "expand",
  summary: "x repeated along axes of size 1 to the full shape",
  operands: ["x"],
  attrs: { shape: { kind: "ints", summary: "shape of the result" } },
  shape: ([x], attrs) => expandedShape(x!, numberListOf(attrs, "shape")),
  range: ([a]) => a!,
  linear: "joint",
  evaluate: ([x], attrs) => expandTo(x!, expandedShape(x!.shape, numberListOf(attrs, "shape"))),
  fixed: "integers",
  scales: keepScale,
});
