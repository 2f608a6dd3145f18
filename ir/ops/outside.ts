import { defineOp } from "./define.ts";
import { numberOf } from "./helpers/attrs.ts";
import { booleanElement } from "./helpers/boolean-element.ts";
import { unit } from "./helpers/interval.ts";
import { capScale } from "./helpers/scales.ts";
import { sameAsFirst } from "./helpers/shapes.ts";
import { map } from "./helpers/tensors.ts";

export const outside = defineOp({
  name: "outside",
  summary: "whether x is less than lo or greater than hi",
  operands: ["x"],
  attrs: {
    lo: { kind: "float" },
    hi: { kind: "float" },
    headroom: { kind: "int", default: 0, summary: "bits by which x may exceed its bounds and be told exactly" },
  },
  shape: sameAsFirst,
  element: booleanElement,
  range: () => unit,
  linear: "none",
  evaluate: ([x], attrs) => {
    const [lo, hi] = [numberOf(attrs, "lo"), numberOf(attrs, "hi")];
    return map(x!, (value) => Number(value < lo || value > hi));
  },
  fixed: "rounded",
  scales: ([x], _attrs, { activation }) => ({ operands: [capScale(x, activation)], result: 0 }),
});
