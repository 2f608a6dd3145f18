import { type Shape, sizeOf } from "../type.ts";
import { defineOp } from "./define.ts";
import { numberOf } from "./helpers/attrs.ts";
import { onnxAxis } from "./helpers/elementwise.ts";
import { wrapIndex } from "./helpers/indices.ts";
import { keepScale } from "./helpers/scales.ts";
import { axisOf } from "./helpers/shapes.ts";
import { splitAtAxis } from "./helpers/tensors.ts";

function gatheredShape(data: Shape, indices: Shape, axis: number): Shape {
  return [...data.slice(0, axis), ...indices, ...data.slice(axis + 1)];
}

export const gather = defineOp({
  name: "gather",
  summary: "entries of data along an axis, selected by indices (negative ones count from the end)",
  operands: ["data", "indices"],
  attrs: { axis: { kind: "int", default: 0 } },
  onnx: [{ op: "Gather", attrs: onnxAxis(0) }],
  shape: ([data, indices], attrs) => gatheredShape(data!, indices!, axisOf(numberOf(attrs, "axis"), data!.length)),
  range: ([a]) => a!,
  linear: "joint",
  selectors: [1],
  indices: [1],
  evaluate: ([data, indices], attrs) => {
    const axis = axisOf(numberOf(attrs, "axis"), data!.shape.length);
    const { outer, size, inner } = splitAtAxis(data!.shape, axis);
    const shape = gatheredShape(data!.shape, indices!.shape, axis);
    const out = new Float64Array(sizeOf(shape));
    for (let o = 0, at = 0; o < outer; o++) {
      for (const index of indices!.data) {
        const from = (o * size + wrapIndex(index, size)) * inner;
        out.set(data!.data.subarray(from, from + inner), at);
        at += inner;
      }
    }
    return { shape, data: out };
  },
  fixed: "integers",
  scales: keepScale,
});
