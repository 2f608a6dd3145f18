import { axisOf } from "../../../ir/ops/helpers/shapes.ts";
import { sizeOf } from "../../../ir/type.ts";
import {
  axesFrom,
  inputOf,
  intAttr,
  knownInput,
  type LowerContext,
  type Lowering,
  type LowerTable,
  refuse,
} from "./context.ts";
import type { Operand } from "./operand.ts";

/** Without axes all are reduced, unless noop_with_empty_axes says none. */
const reduction =
  (op: string): Lowering =>
  (context) => {
    const data = inputOf(context, 0, "data");
    const all = [...context.shape(data).keys()];
    const given = axesFrom(context, 1, all.length) ?? [];
    if (given.length === 0 && intAttr(context, "noop_with_empty_axes", 0) !== 0) return data;
    const axes = given.length === 0 ? all : given;
    return context.emit(op, [data], { axes, keepdims: intAttr(context, "keepdims", 1) !== 0 });
  };

/** Before opset 13 the axes from `axis` on were one: [a…, b…] was taken as the matrix [Πa, Πb], default axis 1. */
function softmax(context: LowerContext): Operand {
  const data = inputOf(context, 0, "input");
  const shape = context.shape(data);
  if (context.opset >= 13)
    return context.emit("softmax", [data], { axis: axisOf(intAttr(context, "axis", -1), shape.length) });
  const axis = axisOf(intAttr(context, "axis", 1), shape.length);
  if (axis === shape.length - 1) return context.emit("softmax", [data], { axis });
  const matrix = [sizeOf(shape.slice(0, axis)), sizeOf(shape.slice(axis))];
  const rows = context.emit("softmax", [context.emit("reshape", [data], { shape: matrix })], { axis: 1 });
  return context.emit("reshape", [rows], { shape });
}

function cumsum(context: LowerContext): Operand {
  const data = inputOf(context, 0, "x");
  if (intAttr(context, "exclusive", 0) !== 0 || intAttr(context, "reverse", 0) !== 0) {
    refuse("a running sum that is exclusive or reversed");
  }
  const axis = axisOf(knownInput(context, 1, "axis")!.data[0]!, context.shape(data).length);
  return context.emit("cumsum", [data], { axis });
}

/** Operators along axes. */
export const reduceLowerings: LowerTable = {
  ReduceSum: reduction("reduce-sum"),
  ReduceMean: reduction("reduce-mean"),
  ReduceMax: reduction("reduce-max"),
  ReduceMin: reduction("reduce-min"),
  ReduceProd: reduction("reduce-prod"),
  Softmax: softmax,
  CumSum: cumsum,
};
