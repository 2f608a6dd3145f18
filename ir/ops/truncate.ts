import { fx, isFixed } from "../type.ts";
import { defineOp } from "./define.ts";
import { numberOf } from "./helpers/attrs.ts";
import { shiftDown } from "./helpers/fixed.ts";
import { sameAsFirst } from "./helpers/shapes.ts";

/** The dropped bits leave the ring too: width and scale both fall by `by`, the real number stays. */
export const truncate = defineOp({
  name: "truncate",
  summary: "drops low bits, rounding half up: floor((raw + 2^(by−1)) / 2^by)",
  operands: ["x"],
  attrs: { by: { kind: "int", summary: "bits" } },
  shape: sameAsFirst,
  element: ([x], attrs) => {
    const by = numberOf(attrs, "by");
    if (!isFixed(x!)) return x!;
    if (by < 1 || by >= x.width) throw new Error(`expected 1 to ${x.width - 1} bits to drop, found ${by}`);
    return fx(x.width - by, x.scale - by);
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
