import { defineOp } from "./define.ts";
import { choiceOf } from "./helpers/attrs.ts";
import { booleanElement } from "./helpers/boolean-element.ts";
import { unit } from "./helpers/interval.ts";
import { integerScales } from "./helpers/scales.ts";
import { broadcastAll } from "./helpers/shapes.ts";
import { zip } from "./helpers/tensors.ts";

const kinds = {
  and: (x: number, y: number) => Number(x !== 0 && y !== 0),
  or: (x: number, y: number) => Number(x !== 0 || y !== 0),
  xor: (x: number, y: number) => Number((x !== 0) !== (y !== 0)),
};

export const logic = defineOp({
  name: "logic",
  summary: "and, or, xor of booleans",
  operands: ["x", "y"],
  attrs: { kind: { kind: "string", summary: "and, or or xor" } },
  onnx: [
    { op: "And", attrs: () => ({ kind: "and" }) },
    { op: "Or", attrs: () => ({ kind: "or" }) },
    { op: "Xor", attrs: () => ({ kind: "xor" }) },
  ],
  shape: broadcastAll,
  element: booleanElement,
  range: () => unit,
  linear: "none",
  evaluate: ([x, y], attrs) => zip(x!, y!, choiceOf(attrs, "kind", kinds)),
  fixed: "rounded",
  scales: integerScales,
});
