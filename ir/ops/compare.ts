import { defineOp } from "./define.ts";
import { choiceOf } from "./helpers/attrs.ts";
import { booleanElement } from "./helpers/boolean-element.ts";
import { unit } from "./helpers/interval.ts";
import { alignScales } from "./helpers/scales.ts";
import { broadcastAll } from "./helpers/shapes.ts";
import { zip } from "./helpers/tensors.ts";

const kinds = {
  equal: (x: number, y: number) => Number(x === y),
  less: (x: number, y: number) => Number(x < y),
  "less-or-equal": (x: number, y: number) => Number(x <= y),
  greater: (x: number, y: number) => Number(x > y),
  "greater-or-equal": (x: number, y: number) => Number(x >= y),
};

export const compare = defineOp({
  name: "compare",
  summary: "whether x and y stand in this relation",
  operands: ["x", "y"],
  attrs: { kind: { kind: "string", summary: "equal, less, less-or-equal, greater or greater-or-equal" } },
  onnx: [
    { op: "Equal", attrs: () => ({ kind: "equal" }) },
    { op: "Less", attrs: () => ({ kind: "less" }) },
    { op: "LessOrEqual", attrs: () => ({ kind: "less-or-equal" }) },
    { op: "Greater", attrs: () => ({ kind: "greater" }) },
    { op: "GreaterOrEqual", attrs: () => ({ kind: "greater-or-equal" }) },
  ],
  shape: broadcastAll,
  element: booleanElement,
  range: () => unit,
  linear: "none",
  evaluate: ([x, y], attrs) => zip(x!, y!, choiceOf(attrs, "kind", kinds)),
  fixed: "rounded",
  scales: (operands, attrs, precision) => ({ ...alignScales(operands, attrs, precision), result: 0 }),
});
