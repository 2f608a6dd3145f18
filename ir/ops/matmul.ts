import { defineOp } from "./define.ts";
import { shiftDown } from "./helpers/fixed-point.ts";
import { repeated, times } from "./helpers/interval.ts";
import { exactMatmul, matmulOf, matmulShape } from "./helpers/matmul.ts";
import { capScale, scaleByPublic } from "./helpers/scales.ts";

export const matmul = defineOp({
  name: "matmul",
  summary: "matrix product with numpy's batch rules",
  operands: ["x", "y"],
  attrs: {},
  onnx: [{ op: "MatMul" }],
  shape: ([a, b]) => matmulShape(a!, b!),
  range: ([a, b], _attrs, [x]) => repeated(times(a!, b!), x!.at(-1)!),
  linear: "each",
  evaluate: ([a, b]) => matmulOf(a!, b!),
  fixed: ([a, b], _attrs, [x, y], result) => shiftDown(exactMatmul(a!, b!), x! + y! - result),
  scales: (operands, _attrs, precision, known) => {
    const wanted = operands.map((scale) => capScale(scale, precision.value));
    const both = { operands: wanted, result: wanted.reduce((sum, scale) => sum + scale, 0) };
    return scaleByPublic(operands, precision, known) ?? both;
  },
});
