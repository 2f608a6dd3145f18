import { f32 } from "../../../../../ir/type.ts";
import { scalar } from "../../../../../ir/weights.ts";
import type { Operand } from "../../graph/index.ts";
import { inputOf, intAttr, type LowerContext, type LowerTable } from "../../graph/index.ts";

/** numpy: a 1-D operand is a row on the left or a column on the right, and its axis is gone afterwards. */
export function product({ emit, shape }: LowerContext, ...operands: readonly [Operand, Operand]): Operand {
  const [left, right] = operands.map((operand) => shape(operand).length === 1);
  const [a, b] = operands.map((operand, side) => {
    const [extent] = shape(operand);
    if (shape(operand).length !== 1) return operand;
    return emit("reshape", [operand], { shape: side === 0 ? [1, extent!] : [extent!, 1] });
  });
  const matrices = emit("matmul", [a!, b!]);
  if (!left && !right) return matrices;
  const whole = shape(matrices);
  const kept = whole.filter((_, axis) => !(left && axis === whole.length - 2) && !(right && axis === whole.length - 1));
  return emit("reshape", [matrices], { shape: kept });
}

function scaled(context: LowerContext, operand: Operand, factor: number): Operand {
  return factor === 1 ? operand : context.emit("mul", [operand, context.constant(scalar(factor), f32)]);
}

/** Y = alpha · A'·B' + beta · C, A' and B' transposed where the flags say so. */
export function gemm(context: LowerContext): Operand {
  const { emit } = context;
  const turned = (place: number, name: string, flag: string): Operand => {
    const operand = inputOf(context, place, name);
    return intAttr(context, flag, 0) === 0 ? operand : emit("transpose", [operand], { perm: [1, 0] });
  };
  const sums = emit("matmul", [turned(0, "A", "transA"), turned(1, "B", "transB")]);
  const whole = scaled(context, sums, intAttr(context, "alpha", 1));
  const bias = context.inputs[2];
  return bias ? emit("add", [whole, scaled(context, bias, intAttr(context, "beta", 1))]) : whole;
}

export const linearLowerings: LowerTable = {
  MatMul: (context) => product(context, inputOf(context, 0, "A"), inputOf(context, 1, "B")),
  Gemm: gemm,
};
