import { axisOf } from "../../../../../ir/ops/helpers/shapes.ts";
import { i64 } from "../../../../../ir/type.ts";
import { tensor } from "../../../../../ir/weights.ts";
import type { Operand } from "../../graph/index.ts";
import {
  inputOf,
  intAttr,
  type LowerContext,
  type LowerTable,
  listAttr,
  listInput,
  listOf,
  number,
  refuse,
  textAttr,
} from "../../graph/index.ts";
import { sliceAxes } from "./shapes.ts";

/** Which element of 0…extent − 1 a place outside shows. */
const shown: Readonly<Record<string, (place: number, extent: number) => number>> = {
  edge: (place, extent) => Math.min(extent - 1, Math.max(0, place)),
  wrap: (place, extent) => ((place % extent) + extent) % extent,
  reflect: (place, extent) => {
    const period = Math.max(1, 2 * (extent - 1));
    const within = ((place % period) + period) % period;
    return Math.min(within, period - within);
  },
};

function padded(context: LowerContext, x: Operand, axis: number, front: number, behind: number): Operand {
  const { emit, shape, constant } = context;
  const extent = shape(x)[axis]!;
  const mode = textAttr(context, "mode", "constant");
  if (mode !== "constant") {
    const at = Object.hasOwn(shown, mode) ? shown[mode]! : refuse(`the padding mode ${mode}`);
    if (extent === 0) refuse(`padding of an empty axis by ${mode}`);
    const places = listOf(Math.max(0, front + extent + behind), (k) => at(k - front, extent));
    return emit("gather", [x, constant(tensor([places.length], places), i64)], { axis });
  }
  const kept = { start: Math.max(0, -front), end: extent - Math.max(0, -behind), step: 1 };
  const inner = sliceAxes(context, x, new Map([[axis, kept]]));
  const fill = context.inputs[2] ?? { ...number(context, intAttr(context, "value", 0)), element: context.element(x) };
  const block = (count: number): Operand[] =>
    count > 0 ? [emit("expand", [emit("reshape", [fill], { shape: [] })], { shape: shape(x).with(axis, count) })] : [];
  return emit("concat", [...block(front), inner, ...block(behind)], { axis });
}

/** Counts in front for every axis, then behind: attributes up to opset 10, inputs since, with axes since 18. */
function pad(context: LowerContext): Operand {
  const x = inputOf(context, 0, "data");
  const rank = context.shape(x).length;
  const pads = listAttr(context, "pads") ?? listInput(context, 1, "pads") ?? refuse("expected pads");
  const axes = (listInput(context, 3, "axes") ?? [...context.shape(x).keys()]).map((axis) => axisOf(axis, rank));
  if (pads.length !== 2 * axes.length) refuse(`expected ${2 * axes.length} pads, found ${pads.length}`);
  return axes.reduce((done, axis, at) => {
    const [front, behind] = [pads[at]!, pads[at + axes.length]!];
    return front === 0 && behind === 0 ? done : padded(context, done, axis, front, behind);
  }, x);
}

export const padLowerings: LowerTable = { Pad: pad };
