import { defineOp } from "./define.ts";
import { shiftDown } from "./helpers/fixed.ts";
import { cap } from "./helpers/scales.ts";
import { pool, poolAttrs, pooledShape, tapsOf, windowsOf } from "./helpers/windows.ts";

const largest = (elements: readonly number[]): number => elements.reduce((a, b) => Math.max(a, b), -Infinity);

export const maxPool = defineOp({
  name: "max-pool",
  summary: "maxima over windows of x [N, C, …]; the padding holds nothing",
  operands: ["x"],
  attrs: poolAttrs,
  shape: ([x], attrs) => {
    const shape = pooledShape(x!, attrs);
    const empty = tapsOf(x!.slice(2), windowsOf(attrs)).some((window) => window.length === 0);
    if (empty) throw new Error("expected every window to meet an element, found one that lies in the padding");
    return shape;
  },
  range: ([a]) => a!,
  linear: "none",
  evaluate: ([x], attrs) => pool(x!, attrs, largest),
  // The order of integers is that of the reals they stand for: a maximum is exact.
  fixed: ([raw], attrs, [scale], result) => shiftDown(pool(raw!, attrs, largest), scale! - result),
  scales: ([x], _attrs, precision) => {
    const scale = cap(x, precision.activation);
    return { operands: [scale], result: scale };
  },
});
