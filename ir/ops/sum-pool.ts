import { sizeOf } from "../type.ts";
import { defineOp } from "./define.ts";
import { numberListOf } from "./helpers/attrs.ts";
import { hull, interval, repeated } from "./helpers/interval.ts";
import { keepScale } from "./helpers/scales.ts";
import { pool, poolAttrs, pooledShape } from "./helpers/windows.ts";

export const sumPool = defineOp({
  name: "sum-pool",
  summary: "sums over windows of x [N, C, …]; average pooling is this and a mul by 1/count",
  operands: ["x"],
  attrs: poolAttrs,
  shape: ([x], attrs) => pooledShape(x!, attrs),
  range: ([a], attrs) => {
    const padded = numberListOf(attrs, "pads").some((n) => n > 0);
    return repeated(padded ? hull(a!, interval(0, 0)) : a!, sizeOf(numberListOf(attrs, "kernel")));
  },
  linear: "joint",
  evaluate: ([x], attrs) => pool(x!, attrs, (elements) => elements.reduce((sum, v) => sum + v, 0)),
  fixed: "integers",
  scales: keepScale,
});
