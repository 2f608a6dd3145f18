import { defineOp } from "./define.ts";
import { shiftDown } from "./helpers/fixed-point.ts";
import { capScale } from "./helpers/scales.ts";
import { hasEmptyWindow, pool, poolAttrs, pooledShape, windowsOf } from "./helpers/windows.ts";

const largest = (elements: readonly number[]): number => elements.reduce((a, b) => Math.max(a, b), -Infinity);

export const maxPool = defineOp({
  name: "max-pool",
  summary: "maxima over windows of x [N, C, …], which ignore the padding",
  operands: ["x"],
  attrs: poolAttrs,
  shape: ([x], attrs) => {
    const shape = pooledShape(x!, attrs);
    if (hasEmptyWindow(x!.slice(2), windowsOf(attrs)))
      throw new Error("expected every window to cover an element, found one in the padding");
    return shape;
  },
  range: ([a]) => a!,
  linear: "none",
  evaluate: ([x], attrs) => pool(x!, attrs, largest),
  // Integers have the order of the reals that they represent: a maximum is exact.
  fixed: ([raw], attrs, [scale], result) => shiftDown(pool(raw!, attrs, largest), scale! - result),
  scales: ([x], _attrs, precision) => {
    const scale = capScale(x, precision.activation);
    return { operands: [scale], result: scale };
  },
});
