import { axisOf, reducedShape } from "../../../../../ir/ops/helpers/shapes.ts";
import { tensor } from "../../../../../ir/tensor.ts";
import { f32, type Shape, sizeOf } from "../../../../../ir/type.ts";
import {
  axesFrom,
  type GraphOperand,
  inputOf,
  intAttr,
  type LowerContext,
  type Lowering,
  type LowerTable,
  requiredInput,
} from "../../graph/index.ts";
import { reverseAxis } from "../tensor/layout.ts";

interface ReductionAxes {
  readonly axes: readonly number[];
  readonly keepdims: boolean;
}

/**
 * The reduced axes. Without axes all are reduced, unless noop_with_empty_axes: then each element is a row of its own.
 */
function reductionAxes(context: LowerContext): ReductionAxes {
  const all = [...context.shape(inputOf(context, 0, "data")).keys()];
  const given = axesFrom(context, 1, all.length) ?? [];
  const none = given.length === 0 && intAttr(context, "noop_with_empty_axes", 0) !== 0;
  return { axes: given.length > 0 || none ? given : all, keepdims: intAttr(context, "keepdims", 1) !== 0 };
}

type ElementwiseStep = (context: LowerContext, x: GraphOperand) => GraphOperand;
const square: ElementwiseStep = ({ emit }, x) => emit("mul", [x, x]);
const unchanged: ElementwiseStep = (_context, x) => x;
const apply =
  (op: string): ElementwiseStep =>
  ({ emit }, x) =>
    emit(op, [x]);

/** The result of reducing no elements: known, whoever owns them. */
const identities: Readonly<Record<string, number>> = {
  "reduce-sum": 0,
  "reduce-prod": 1,
  "reduce-mean": Number.NaN,
  "reduce-max": -Infinity,
  "reduce-min": Infinity,
};
const emptyReduction = ({ constant }: LowerContext, op: string, shape: Shape): GraphOperand =>
  constant(tensor(shape, new Float64Array(sizeOf(shape)).fill(identities[op]!)), f32);

/** before: of each element; after: of each result. */
const reduction =
  (op: string, before = unchanged, after = unchanged): Lowering =>
  (context) => {
    const { axes, keepdims } = reductionAxes(context);
    const data = inputOf(context, 0, "data");
    const whole = context.shape(data);
    if (axes.some((axis) => whole[axis] === 0) && context.element(data).kind === "f32") {
      return after(context, emptyReduction(context, op, reducedShape(whole, axes, keepdims)));
    }
    const mapped = before(context, data);
    return after(context, axes.length === 0 ? mapped : context.emit(op, [mapped], { axes, keepdims }));
  };

/** log Σ exp(x) = max x + log Σ exp(x − max x) */
function logSumExp({ emit, shape }: LowerContext, x: GraphOperand, { axes, keepdims }: ReductionAxes): GraphOperand {
  const most = emit("reduce-max", [x], { axes, keepdims: true });
  const sum = emit("reduce-sum", [emit("exp", [emit("sub", [x, most])])], { axes, keepdims: true });
  const result = emit("add", [most, emit("log", [sum])]);
  return keepdims ? result : emit("reshape", [result], { shape: reducedShape(shape(x), axes, false) });
}

/** x − log Σ exp(x); before opset 13 over all axes from `axis` on, see softmax. */
function logSoftmax(context: LowerContext): GraphOperand {
  const { emit, shape, opset } = context;
  const x = inputOf(context, 0, "input");
  const rank = shape(x).length;
  const axis = axisOf(intAttr(context, "axis", opset >= 13 ? -1 : 1), rank);
  const axes = opset >= 13 ? [axis] : Array.from({ length: rank - axis }, (_, at) => axis + at);
  return emit("sub", [x, logSumExp(context, x, { axes, keepdims: true })]);
}

/** Protocols work on whole rows, so the axis moves to the end. */
function softmaxAlong({ emit, shape }: LowerContext, data: GraphOperand, axis: number): GraphOperand {
  const last = shape(data).length - 1;
  const perm = [...shape(data).keys()].map((axisIndex) =>
    axisIndex === axis ? last : axisIndex === last ? axis : axisIndex,
  );
  const rows = emit("softmax", [emit("transpose", [data], { perm })], { axis: last });
  return emit("transpose", [rows], { perm });
}

/** Before opset 13 the axes from `axis` on were one: [a…, b…] was taken as the matrix [Πa, Πb], default axis 1. */
function softmax(context: LowerContext): GraphOperand {
  const data = inputOf(context, 0, "input");
  const shape = context.shape(data);
  if (context.opset >= 13) return softmaxAlong(context, data, axisOf(intAttr(context, "axis", -1), shape.length));
  const axis = axisOf(intAttr(context, "axis", 1), shape.length);
  const matrix = [sizeOf(shape.slice(0, axis)), sizeOf(shape.slice(axis))];
  const rows = context.emit("softmax", [context.emit("reshape", [data], { shape: matrix })], { axis: 1 });
  return context.emit("reshape", [rows], { shape });
}

/** reverse: sums from the end. exclusive: without the element itself, so the inclusive sum minus the element. */
function cumsum(context: LowerContext): GraphOperand {
  const data = inputOf(context, 0, "x");
  const axis = axisOf(requiredInput(context, 1, "axis").data[0]!, context.shape(data).length);
  const turned = (x: GraphOperand): GraphOperand =>
    intAttr(context, "reverse", 0) === 0 ? x : reverseAxis(context, x, axis);
  const sums = turned(context.emit("cumsum", [turned(data)], { axis }));
  return intAttr(context, "exclusive", 0) === 0 ? sums : context.emit("sub", [sums, data]);
}

/** Operators along axes. */
export const reduceLowerings: LowerTable = {
  ReduceSum: reduction("reduce-sum"),
  ReduceMean: reduction("reduce-mean"),
  ReduceMax: reduction("reduce-max"),
  ReduceMin: reduction("reduce-min"),
  ReduceProd: reduction("reduce-prod"),
  ReduceL1: reduction("reduce-sum", apply("abs")),
  ReduceL2: reduction("reduce-sum", square, apply("sqrt")),
  ReduceSumSquare: reduction("reduce-sum", square),
  ReduceLogSum: reduction("reduce-sum", unchanged, apply("log")),
  ReduceLogSumExp: (context) => logSumExp(context, inputOf(context, 0, "data"), reductionAxes(context)),
  Softmax: softmax,
  LogSoftmax: logSoftmax,
  CumSum: cumsum,
};
