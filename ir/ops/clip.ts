import { defineOp } from "./define.ts";
import { numberOf } from "./helpers/attrs.ts";
import { increasing } from "./helpers/interval.ts";
import { keepScale } from "./helpers/scales.ts";
import { sameAsFirst } from "./helpers/shapes.ts";
import { map } from "./helpers/tensors.ts";

const clamp =
  (lo: number, hi: number) =>
  (x: number): number =>
    Math.min(hi, Math.max(lo, x));

export const clip = defineOp({
  name: "clip",
  summary: "x, no less than lo and no more than hi",
  operands: ["x"],
  attrs: { lo: { kind: "float", default: -Infinity }, hi: { kind: "float", default: Infinity } },
  shape: sameAsFirst,
  range: ([a], attrs) => increasing(clamp(numberOf(attrs, "lo"), numberOf(attrs, "hi")))(a!),
  linear: "none",
  evaluate: ([x], attrs) => map(x!, clamp(numberOf(attrs, "lo"), numberOf(attrs, "hi"))),
  fixed: "rounded",
  scales: keepScale,
});
