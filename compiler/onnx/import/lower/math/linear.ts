import { scalar } from "../../../../../ir/tensor.ts";
import { f32 } from "../../../../../ir/type.ts";
import { type GraphOperand, inputOf, intAttr, type LowerContext, type LowerTable } from "../../graph/index.ts";

/** numpy: a 1-D operand is a row on the left or a column on the right, and its axis disappears from the result. */
export function matmulNumpy(
  { emit, shape }: LowerContext,
  ...operands: readonly [GraphOperand, GraphOperand]
): GraphOperand {
  const [left, right] = operands.map((operand) => shape(operand).length === 1);
  const [a, b] = operands.map((operand, side) => {
    const [size] = shape(operand);
    if (shape(operand).length !== 1) return operand;
    return emit("reshape", [operand], { shape: side === 0 ? [1, size!] : [size!, 1] });
  });
  const matrices = emit("matmul", [a!, b!]);
  if (!left && !right) return matrices;
  const whole = shape(matrices);
  const kept = whole.filter((_, axis) => !(left && axis === whole.length - 2) && !(right && axis === whole.length - 1));
  return emit("reshape", [matrices], { shape: kept });
}

function scaleBy(context: LowerContext, operand: GraphOperand, factor: number): GraphOperand {
  return factor === 1 ? operand : context.emit("mul", [operand, context.constant(scalar(factor), f32)]);
}

/** Y = alpha · A'·B' + beta · C, with A' and B' transposed where the flags say so. */
export function gemm(context: LowerContext): GraphOperand {
  const { emit } = context;
  const turned = (index: number, name: string, flag: string): GraphOperand => {
    const operand = inputOf(context, index, name);
    return intAttr(context, flag, 0) === 0 ? operand : emit("transpose", [operand], { perm: [1, 0] });
  };
  const sums = emit("matmul", [turned(0, "A", "transA"), turned(1, "B", "transB")]);
  const whole = scaleBy(context, sums, intAttr(context, "alpha", 1));
  const bias = context.inputs[2];
  return bias ? emit("add", [whole, scaleBy(context, bias, intAttr(context, "beta", 1))]) : whole;
}

export const linearLowerings: LowerTable = {
  MatMul: (context) => matmulNumpy(context, inputOf(context, 0, "A"), inputOf(context, 1, "B")),
  Gemm: gemm,
};
