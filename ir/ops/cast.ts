import { bool, f32, type Interval, i64, isFixed } from "../type.ts";
import { defineOp } from "./define.ts";
import { choiceOf, onnxNumber } from "./helpers/attrs.ts";
import { interval, unit } from "./helpers/interval.ts";
import { capScale } from "./helpers/scales.ts";
import { sameAsFirst } from "./helpers/shapes.ts";
import { map } from "./helpers/tensors.ts";

const elements = { f32, i64, bool };
const functions = { f32: (x: number) => x, i64: Math.trunc, bool: (x: number) => (x === 0 ? 0 : 1) };
const ranges = {
  f32: (a: Interval) => a,
  i64: (a: Interval) => interval(Math.trunc(a.lo), Math.trunc(a.hi)),
  bool: () => unit,
};

/** Values of ONNX's TensorProto.DataType by our element. */
const onnxTypes = { f32: [1, 10, 11, 16], i64: [2, 3, 4, 5, 6, 7, 12, 13], bool: [9] };

function fromOnnx(type: number): string {
  const found = Object.entries(onnxTypes).find(([, numbers]) => numbers.includes(type));
  if (!found) throw new Error(`expected a cast to a float, an integer or a boolean, found ONNX data type ${type}`);
  return found[0];
}

export const cast = defineOp({
  name: "cast",
  summary: "the same number as another element; to integers, rounded toward zero",
  operands: ["x"],
  attrs: { to: { kind: "string", summary: "f32, i64 or bool" } },
  onnx: [{ op: "Cast", attrs: (onnx) => ({ to: fromOnnx(onnxNumber(onnx, "to", 0)) }) }],
  shape: sameAsFirst,
  element: (_operands, attrs, current) => (current && isFixed(current) ? current : choiceOf(attrs, "to", elements)),
  anyRing: true,
  range: ([a], attrs) => choiceOf(attrs, "to", ranges)(a!),
  linear: "none",
  evaluate: ([x], attrs) => map(x!, choiceOf(attrs, "to", functions)),
  fixed: "rounded",
  // An f32 result has the fractional bits of activations, so that the two can be added.
  scales: ([x], attrs, precision) => {
    const scale = attrs.to === "f32" ? precision.activation : 0;
    return { operands: [capScale(x, scale)], result: scale };
  },
});
