import { type Shape, sizeOf } from "../type.ts";
import { defineOp } from "./define.ts";
import { numberOf } from "./helpers/attrs.ts";
import { onnxAxis } from "./helpers/elementwise.ts";
import { hull } from "./helpers/interval.ts";
import { alignScales } from "./helpers/scales.ts";
import { axisOf, formatShape } from "./helpers/shapes.ts";
import { splitAtAxis } from "./helpers/tensors.ts";

function concatShape(shapes: readonly Shape[], axis: number): Shape {
  const first = shapes[0]!;
  for (const shape of shapes) {
    if (shape.length !== first.length || shape.some((size, index) => index !== axis && size !== first[index])) {
      throw new Error(
        `expected shapes that differ on axis ${axis} only, found ${shapes.map(formatShape).join(" and ")}`,
      );
    }
  }
  return first.map((size, index) => (index === axis ? shapes.reduce((sum, shape) => sum + shape[axis]!, 0) : size));
}

export const concat = defineOp({
  name: "concat",
  summary: "the operands one after the other along an axis",
  operands: ["x…"],
  attrs: { axis: { kind: "int" } },
  onnx: [{ op: "Concat", attrs: onnxAxis(0) }],
  shape: (shapes, attrs) => concatShape(shapes, axisOf(numberOf(attrs, "axis"), shapes[0]!.length)),
  range: (all) => hull(...all),
  linear: "joint",
  evaluate: (operands, attrs) => {
    const axis = axisOf(numberOf(attrs, "axis"), operands[0]!.shape.length);
    const shape = concatShape(
      operands.map((operand) => operand.shape),
      axis,
    );
    const data = new Float64Array(sizeOf(shape));
    const { outer } = splitAtAxis(shape, axis);
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
