import { defineOp, type OpDef } from "./define.ts";
import { shiftDown } from "./helpers/fixed-point.ts";
import { times } from "./helpers/interval.ts";
import { factorScales, productScale, scaleByPublic } from "./helpers/scales.ts";
import { broadcastAll } from "./helpers/shapes.ts";
import { zip } from "./helpers/tensors.ts";

const product: OpDef["evaluate"] = ([x, y]) => zip(x!, y!, (a, b) => a * b);

/** For two secrets, the protocol that multiplies brings the product back to activation precision. */
const scales: OpDef["scales"] = (operands, _attrs, precision, known) => {
  const wanted = factorScales(operands, precision, known);
  const sum = wanted.reduce((total, scale) => total + scale, 0);
  const result = Math.min(productScale(precision, known), sum);
  return scaleByPublic(operands, precision, known) ?? { operands: wanted, result };
};

export const mul = defineOp({
  name: "mul",
  summary: "x · y, elementwise",
  operands: ["x", "y"],
  attrs: {},
  onnx: [{ op: "Mul" }],
  shape: broadcastAll,
  range: ([a, b]) => times(a!, b!),
  linear: "each",
  evaluate: product,
  fixed: (raw, attrs, [x, y], result) => shiftDown(product(raw, attrs), x! + y! - result),
  scales,
});
