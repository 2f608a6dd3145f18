import { defineOp } from "./define.ts";
import { hull } from "./helpers/interval.ts";
import { alignFrom } from "./helpers/scales.ts";
import { broadcastAll } from "./helpers/shapes.ts";
import { expandTo } from "./helpers/tensors.ts";

export const where = defineOp({
  name: "where",
  summary: "x where the condition holds, else y",
  operands: ["condition", "x", "y"],
  attrs: {},
  onnx: [{ op: "Where" }],
  shape: broadcastAll,
  range: ([, x, y]) => hull(x!, y!),
  linear: "joint",
  selectors: [0],
  evaluate: (operands) => {
    const shape = broadcastAll(operands.map((operand) => operand.shape));
    const [condition, x, y] = operands.map((operand) => expandTo(operand, shape).data);
    return { shape, data: condition!.map((holds, i) => (holds !== 0 ? x![i]! : y![i]!)) };
  },
  fixed: "integers",
  scales: alignFrom(1),
});
