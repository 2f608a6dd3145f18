import { axisOf } from "../../../../../ir/ops/helpers/shapes.ts";
import { scalar } from "../../../../../ir/tensor.ts";
import { i64 } from "../../../../../ir/type.ts";
import { inputOf, intAttr, type Lowering, type LowerTable } from "../../graph/index.ts";
import { reverseAxis } from "../tensor/layout.ts";

/** The last of equal elements is the first of the reversed row, counted from its end. */
const argMinMax =
  (largest: boolean): Lowering =>
  (context) => {
    const { emit, shape, constant } = context;
    const data = inputOf(context, 0, "data");
    const axis = axisOf(intAttr(context, "axis", 0), shape(data).length);
    const size = shape(data)[axis]!;
    const last = intAttr(context, "select_last_index", 0) !== 0;
    const row = last ? reverseAxis(context, data, axis) : data;
    const attrs = { axis, keepdims: intAttr(context, "keepdims", 1) !== 0 };
    const index = emit("argmax", [largest ? row : emit("neg", [row])], attrs);
    return last ? emit("sub", [constant(scalar(size - 1), i64), index]) : index;
  };

export const argMinMaxLowerings: LowerTable = { ArgMax: argMinMax(true), ArgMin: argMinMax(false) };
