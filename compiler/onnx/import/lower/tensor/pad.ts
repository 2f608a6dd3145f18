import { axisOf } from "../../../../../ir/ops/helpers/shapes.ts";
import { tensor } from "../../../../../ir/tensor.ts";
import { i64 } from "../../../../../ir/type.ts";
import {
  boundedList,
  constantScalar,
  type GraphOperand,
  inputOf,
  intAttr,
  type LowerContext,
  type LowerTable,
  listAttr,
  listInput,
  refuseNode,
  stringAttr,
} from "../../graph/index.ts";
import { sliceAxes } from "./layout.ts";

/** The element 0…size − 1 that a position outside takes. */
const sourceIndex: Readonly<Record<string, (index: number, size: number) => number>> = {
  edge: (index, size) => Math.min(size - 1, Math.max(0, index)),
  wrap: (index, size) => ((index % size) + size) % size,
  reflect: (index, size) => {
    const period = Math.max(1, 2 * (size - 1));
    const within = ((index % period) + period) % period;
    return Math.min(within, period - within);
  },
};

function padAxis(context: LowerContext, x: GraphOperand, axis: number, front: number, behind: number): GraphOperand {
  const { emit, shape, constant } = context;
  const size = shape(x)[axis]!;
  const mode = stringAttr(context, "mode", "constant");
  if (mode !== "constant") {
    const at = Object.hasOwn(sourceIndex, mode) ? sourceIndex[mode]! : refuseNode(`the padding mode ${mode}`);
    if (size === 0) refuseNode(`padding of an empty axis by ${mode}`);
    const sources = boundedList(Math.max(0, front + size + behind), (k) => at(k - front, size));
    return emit("gather", [x, constant(tensor([sources.length], sources), i64)], { axis });
  }
  const kept = { start: Math.max(0, -front), end: size - Math.max(0, -behind), step: 1 };
  const inner = sliceAxes(context, x, new Map([[axis, kept]]));
  const fill = context.inputs[2] ?? {
    ...constantScalar(context, intAttr(context, "value", 0)),
    element: context.element(x),
  };
  const block = (count: number): GraphOperand[] =>
    count > 0 ? [emit("expand", [emit("reshape", [fill], { shape: [] })], { shape: shape(x).with(axis, count) })] : [];
  return emit("concat", [...block(front), inner, ...block(behind)], { axis });
}

/** Counts before every axis, then after: attributes up to opset 10, inputs since, with axes since 18. */
function pad(context: LowerContext): GraphOperand {
  const x = inputOf(context, 0, "data");
  const rank = context.shape(x).length;
  const pads = listAttr(context, "pads") ?? listInput(context, 1, "pads") ?? refuseNode("expected pads");
  const axes = (listInput(context, 3, "axes") ?? [...context.shape(x).keys()]).map((axis) => axisOf(axis, rank));
  if (pads.length !== 2 * axes.length) refuseNode(`expected ${2 * axes.length} pads, found ${pads.length}`);
  return axes.reduce((done, axis, at) => {
    const [front, behind] = [pads[at]!, pads[at + axes.length]!];
    return front === 0 && behind === 0 ? done : padAxis(context, done, axis, front, behind);
  }, x);
}

export const padLowerings: LowerTable = { Pad: pad };
