import { axisOf } from "../../../../../ir/ops/helpers/shapes.ts";
import { tensor } from "../../../../../ir/tensor.ts";
import { f32 } from "../../../../../ir/type.ts";
import {
  boundedList,
  type GraphOperand,
  inputOf,
  intAttr,
  knownInput,
  type LowerContext,
  type LowerTable,
  refuseNode,
} from "../../graph/index.ts";

/**
 * X_j = Σ_k x_k · e^(∓2πijk/N), with N points of which the input has the first n: a product with a public matrix, which
 * costs nothing on shares. Inputs are real, or pairs on the last axis; results are pairs.
 */
function dft(context: LowerContext): GraphOperand {
  const { emit, shape, constant, opset } = context;
  const x = inputOf(context, 0, "input");
  const whole = shape(x);
  const last = whole.length - 1;
  const given = opset >= 20 ? (knownInput(context, 2, "axis")?.data[0] ?? -2) : intAttr(context, "axis", 1);
  const axis = axisOf(given, whole.length);
  const parts = whole[last]!;
  if (axis === last || parts > 2)
    return refuseNode("expected real numbers or pairs on the last axis, and another axis");
  const size = whole[axis]!;
  const points = knownInput(context, 1, "dft_length")?.data[0] ?? size;
  const inverse = intAttr(context, "inverse", 0) !== 0;
  const kept = intAttr(context, "onesided", 0) !== 0 ? Math.floor(points / 2) + 1 : points;
  // Rows: point and component of the input; columns: point and component of the result.
  const entries = boundedList(size * parts * kept * 2, (at) => {
    const [row, column] = [Math.floor(at / (kept * 2)), at % (kept * 2)];
    const [k, j] = [Math.floor(row / parts), Math.floor(column / 2)];
    if (k >= points) return 0;
    const angle = ((inverse ? 2 : -2) * Math.PI * ((j * k) % points)) / points;
    const [cos, sin] = [Math.cos(angle), Math.sin(angle)].map((value) => value / (inverse ? points : 1)) as [
      number,
      number,
    ];
    const [fromReal, toReal] = [row % parts === 0, column % 2 === 0];
    return fromReal === toReal ? cos : fromReal ? sin : -sin;
  });
  const others = [...whole.keys()].filter((at) => at !== axis && at !== last);
  const first = emit("transpose", [x], { perm: [...others, axis, last] });
  const lead = others.map((at) => whole[at]!);
  const rows = emit("reshape", [first], { shape: [...lead, size * parts] });
  const matrix = constant(tensor([size * parts, kept * 2], entries), f32);
  const found = emit("reshape", [emit("matmul", [rows, matrix])], { shape: [...lead, kept, 2] });
  const order = [...whole.keys()].map((at) => (at === axis ? others.length : at === last ? last : others.indexOf(at)));
  return emit("transpose", [found], { perm: order });
}

export const fourierLowerings: LowerTable = { DFT: dft };
