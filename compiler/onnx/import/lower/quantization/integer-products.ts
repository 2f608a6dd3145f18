import { type GraphOperand, inputOf, intAttr, type LowerContext, type LowerTable } from "../../graph/index.ts";
import { matmulNumpy } from "../math/linear.ts";
import { perChannel, readWindows, spatialInput } from "../nn/convolution.ts";

/**
 * Subtracts the zero point; `shaped` aligns a vector of zero points with the operand. The integers of a weight are real
 * values here like those of any weight, and so are the values multiplied with them.
 */
function subtractZeroPoint(
  context: LowerContext,
  index: number,
  zero: number,
  shaped: (zero: GraphOperand) => GraphOperand,
): GraphOperand {
  const { emit, shape, element, inputs } = context;
  const isReal = [0, 1].some((side) => element(inputOf(context, side, "A and B")).kind === "f32");
  const toReal = (operand: GraphOperand): GraphOperand => (isReal ? emit("cast", [operand], { to: "f32" }) : operand);
  const x = toReal(inputOf(context, index, index === 0 ? "A" : "B"));
  const point = inputs[zero] && toReal(inputs[zero]);
  if (!point) return x;
  return emit("sub", [x, shape(point).length === 1 ? shaped(point) : point]);
}

/** Zero points of A belong to rows, those of B to columns. */
function matmulInteger(context: LowerContext): GraphOperand {
  const { emit, shape } = context;
  const rows = (zero: GraphOperand): GraphOperand => emit("reshape", [zero], { shape: [shape(zero)[0]!, 1] });
  return matmulNumpy(
    context,
    subtractZeroPoint(context, 0, 2, rows),
    subtractZeroPoint(context, 1, 3, (zero) => zero),
  );
}

/** The padding holds zero points, which are 0 once the operands are centred. */
function convInteger(context: LowerContext): GraphOperand {
  const { emit, shape } = context;
  const { spatial } = spatialInput(context);
  const vector = (zero: GraphOperand): GraphOperand => perChannel(context, zero, spatial.length + 2);
  const each = (zero: GraphOperand): GraphOperand =>
    emit("reshape", [vector(zero)], { shape: [shape(zero)[0]!, 1, ...spatial.map(() => 1)] });
  const w = subtractZeroPoint(context, 1, 3, each);
  const { strides, pads, dilations } = readWindows(context, spatial, shape(w).slice(2));
  const attrs = { strides, pads, dilations, group: intAttr(context, "group", 1) };
  return emit("conv", [subtractZeroPoint(context, 0, 2, vector), w], attrs);
}

/** Products of integers. */
export const integerLowerings: LowerTable = { MatMulInteger: matmulInteger, ConvInteger: convInteger };
