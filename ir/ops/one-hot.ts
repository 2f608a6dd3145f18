import { f32 } from "../type.ts";
import { defineOp } from "./define.ts";
import { numberOf } from "./helpers/attrs.ts";
import { unit } from "./helpers/interval.ts";

export const oneHot = defineOp({
  name: "one-hot",
  summary: "a new last axis of size depth: 1 at the index, else 0; all 0 for an index out of range",
  operands: ["indices"],
  attrs: { depth: { kind: "int" } },
  shape: ([indices], attrs) => [...indices!, numberOf(attrs, "depth")],
  element: () => f32,
  range: () => unit,
  linear: "none",
  evaluate: ([indices], attrs) => {
    const depth = numberOf(attrs, "depth");
    const data = new Float64Array(indices!.data.length * depth);
    indices!.data.forEach((index, at) => {
      const wrapped = index < 0 ? index + depth : index;
      if (wrapped >= 0 && wrapped < depth) data[at * depth + wrapped] = 1;
    });
    return { shape: [...indices!.shape, depth], data };
  },
  fixed: "rounded",
});
