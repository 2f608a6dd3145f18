import { axisOf } from "../../../../../ir/ops/helpers/shapes.ts";
import { i64 } from "../../../../../ir/type.ts";
import { scalar } from "../../../../../ir/weights.ts";
import { inputOf, intAttr, type Lowering, type LowerTable } from "../../graph/index.ts";
import { reversed } from "../tensor/shapes.ts";

/** The last of equal ones is the first of the reversed row, counted from its end. */
const argExtreme =
  (largest: boolean): Lowering =>
  (context) => {
    const { emit, shape, constant } = context;
    const data = inputOf(context, 0, "data");
    const axis = axisOf(intAttr(context, "axis", 0), shape(data).length);
    const extent = shape(data)[axis]!;
    const last = intAttr(context, "select_last_index", 0) !== 0;
    const row = last ? reversed(context, data, axis) : data;
    const attrs = { axis, keepdims: intAttr(context, "keepdims", 1) !== 0 };
    const place = emit("argmax", [largest ? row : emit("neg", [row])], attrs);
    return last ? emit("sub", [constant(scalar(extent - 1), i64), place]) : place;
  };

export const argExtremeLowerings: LowerTable = { ArgMax: argExtreme(true), ArgMin: argExtreme(false) };
