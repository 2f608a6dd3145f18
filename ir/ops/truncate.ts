import { fx, isFixed } from "../type.ts";
import { defineOp } from "./define.ts";
import { numberOf } from "./helpers/attrs.ts";
import { shiftDown } from "./helpers/fixed-point.ts";
import { sameAsFirst } from "./helpers/shapes.ts";

/**
 * Lowers the scale by `by` and keeps the real number. The ring shrinks as much, unless the protocol returns another.
 */
export const truncate = defineOp({
  name: "truncate",
  summary: "drops low bits, rounding half up: floor((raw + 2^(by−1)) / 2^by)",
  operands: ["x"],
  attrs: { by: { kind: "int", summary: "bits" } },
  shape: sameAsFirst,
  element: ([x], attrs, current) => {
    const by = numberOf(attrs, "by");
    if (!isFixed(x!)) return x!;
    if (by < 1 || by >= x.width) throw new Error(`expected 1 to ${x.width - 1} bits to drop, found ${by}`);
    return fx(current && isFixed(current) ? current.width : x.width - by, x.scale - by);
  },
  range: ([a]) => a!,
  linear: "none",
  evaluate: ([x]) => x!,
  fixed: ([raw], attrs) => shiftDown(raw!, numberOf(attrs, "by")),
  scales: ([x], attrs, precision) => {
    const scale = x ?? precision.activation;
    return { operands: [scale], result: scale - numberOf(attrs, "by") };
  },
});
