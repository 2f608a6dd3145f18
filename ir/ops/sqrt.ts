import { unary } from "./helpers/elementwise.ts";
import { increasing } from "./helpers/interval.ts";
import { capScale } from "./helpers/scales.ts";
import { map } from "./helpers/tensors.ts";

export const sqrt = unary({
  name: "sqrt",
  summary: "square root",
  onnx: "Sqrt",
  f: Math.sqrt,
  // Rounding may leave a little below 0 where the real number is 0.
  fixed: ([x], _attrs, [scale], result) =>
    map(x!, (raw) => Math.floor(Math.sqrt(Math.max(0, raw * 2 ** -scale!)) * 2 ** result + 0.5)),
  range: increasing((x) => Math.sqrt(Math.max(0, x))),
  // Twice the bits of the root: near 0 it has half of those of its operand.
  scales: ([x], _attrs, { activation }) => ({ operands: [capScale(x, 2 * activation)], result: activation }),
});
