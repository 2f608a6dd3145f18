import {
  constantScalar,
  type GraphOperand,
  inputOf,
  intAttr,
  knownInput,
  type LowerContext,
  type Lowering,
  type LowerTable,
  refuseNode,
  stringAttr,
} from "../../graph/index.ts";

/** Bounds were attributes up to opset 10. A bound that is a weight or computed: min(max(x, lo), hi). */
function clip(context: LowerContext): GraphOperand {
  const x = inputOf(context, 0, "input");
  const given = (index: number): GraphOperand | undefined => context.inputs[index];
  const isComputed = (index: number): boolean => given(index) !== undefined && given(index)?.kind !== "constant";
  const bound = (index: number, name: string, absent: number): number =>
    isComputed(index) ? absent : (knownInput(context, index, name)?.data[0] ?? intAttr(context, name, absent));
  const [lo, hi] = [bound(1, "min", -Infinity), bound(2, "max", Infinity)];
  const above = isComputed(1) ? context.emit("maximum", [x, given(1)!]) : x;
  const between = lo > -Infinity || hi < Infinity ? context.emit("clip", [above], { lo, hi }) : above;
  return isComputed(2) ? context.emit("minimum", [between, given(2)!]) : between;
}

/** x · sigmoid(alpha · x) */
function swish(context: LowerContext): GraphOperand {
  const x = inputOf(context, 0, "X");
  const alpha = intAttr(context, "alpha", 1);
  if (alpha === 1) return context.emit("silu", [x]);
  const gate = context.emit("sigmoid", [context.emit("mul", [x, constantScalar(context, alpha)])]);
  return context.emit("mul", [x, gate]);
}

const variadic =
  (op: string): Lowering =>
  (context) => {
    const operands = context.inputs.filter((operand) => operand !== undefined);
    if (operands.length === 0) refuseNode("expected at least one operand");
    return operands.reduce((a, b) => context.emit(op, [a, b]));
  };

function mean(context: LowerContext): GraphOperand {
  const count = context.inputs.filter((operand) => operand !== undefined).length;
  const [sum] = [variadic("add")(context)].flat() as [GraphOperand];
  return count === 1 ? sum : context.emit("mul", [sum, constantScalar(context, 1 / count)]);
}

/** a · sigmoid(a) · b (SwiGLU of opset 28); alpha as in Swish. */
function swiglu(context: LowerContext): GraphOperand {
  return context.emit("mul", [swish(context), inputOf(context, 1, "B")]);
}

/** x for x ≥ 0, else slope · x: relu(x) − slope · relu(−x) */
export function leakyRelu(context: LowerContext, x: GraphOperand, slope: GraphOperand): GraphOperand {
  const { emit } = context;
  return emit("sub", [emit("relu", [x]), emit("mul", [slope, emit("relu", [emit("neg", [x])])])]);
}

/** Adds an optional bias first: Gelu, and BiasGelu and FastGelu of com.microsoft. */
const biasedGelu =
  (approximate: string): Lowering =>
  (context) => {
    const x = inputOf(context, 0, "X");
    const bias = context.inputs[1];
    return context.emit("gelu", [bias ? context.emit("add", [x, bias]) : x], { approximate });
  };

export const activationLowerings: LowerTable = {
  Clip: clip,
  Swish: swish,
  SwiGLU: swiglu,
  Gelu: (context) =>
    context.emit("gelu", [inputOf(context, 0, "X")], { approximate: stringAttr(context, "approximate", "none") }),
  "com.microsoft.Gelu": biasedGelu("none"),
  "com.microsoft.BiasGelu": biasedGelu("none"),
  "com.microsoft.FastGelu": biasedGelu("tanh"),
  "com.microsoft.QuickGelu": (context) => {
    const x = inputOf(context, 0, "X");
    const alpha = constantScalar(context, intAttr(context, "alpha", 1.702));
    return context.emit("mul", [x, context.emit("sigmoid", [context.emit("mul", [x, alpha])])]);
  },
  LeakyRelu: (context) =>
    leakyRelu(context, inputOf(context, 0, "X"), constantScalar(context, intAttr(context, "alpha", 0.01))),
  PRelu: (context) => leakyRelu(context, inputOf(context, 0, "X"), inputOf(context, 1, "slope")),
  Max: variadic("maximum"),
  Min: variadic("minimum"),
  Sum: variadic("add"),
  Mean: mean,
};
