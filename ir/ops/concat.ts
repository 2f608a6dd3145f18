import { type Shape, sizeOf } from "../type.ts";
import { defineOp } from "./define.ts";
import { numberOf } from "./helpers/attrs.ts";
import { onnxAxis } from "./helpers/elementwise.ts";
import { hull } from "./helpers/interval.ts";
import { alignScales } from "./helpers/scales.ts";
import { axisOf, show } from "./helpers/shapes.ts";
import { around } from "./helpers/tensors.ts";

function joined(shapes: readonly Shape[], axis: number): Shape {
  const first = shapes[0]!;
  for (const shape of shapes) {
    if (shape.length !== first.length || shape.some((extent, place) => place !== axis && extent !== first[place])) {
      throw new Error(`expected shapes that differ on axis ${axis} only, found ${shapes.map(show).join(" and ")}`);
    }
  }
  return first.map((extent, place) => (place === axis ? shapes.reduce((sum, shape) => sum + shape[axis]!, 0) : extent));
}

export const concat = defineOp({
  name: "concat",
  summary: "the operands one after the other along an axis",
  operands: ["x…"],
  attrs: { axis: { kind: "int" } },
  onnx: [{ op: "Concat", attrs: onnxAxis(0) }],
  shape: (shapes, attrs) => joined(shapes, axisOf(numberOf(attrs, "axis"), shapes[0]!.length)),
  range: (all) => hull(...all),
  linear: "joint",
  evaluate: (operands, attrs) => {
    const axis = axisOf(numberOf(attrs, "axis"), operands[0]!.shape.length);
    const shape = joined(
      operands.map((operand) => operand.shape),
      axis,
    );
    const data = new Float64Array(sizeOf(shape));
    const { outer } = around(shape, axis);
    for (let o = 0, at = 0; o < outer; o++) {
      for (const operand of operands) {
        const length = operand.data.length / outer;
        data.set(operand.data.subarray(o * length, (o + 1) * length), at);
        at += length;
      }
    }
    return { shape, data };
  },
  fixed: "integers",
  scales: alignScales,
});
