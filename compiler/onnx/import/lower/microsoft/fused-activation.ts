import {
  constantScalar,
  type GraphOperand,
  intAttr,
  type LowerContext,
  type LowerTable,
  listAttr,
  refuseNode,
  stringAttr,
} from "../../graph/index.ts";
import { leakyRelu } from "../math/activation.ts";
import { gemm } from "../math/linear.ts";
import { conv } from "../nn/convolution.ts";

type FusedActivation = (context: LowerContext, x: GraphOperand, params: readonly number[]) => GraphOperand;

const plain =
  (op: string): FusedActivation =>
  ({ emit }, x) =>
    emit(op, [x]);

/** Activations that ONNX Runtime's optimizer fuses into the operator before them, with their parameters. */
const activations: Readonly<Record<string, FusedActivation>> = {
  "": (_context, x) => x,
  Relu: plain("relu"),
  Sigmoid: plain("sigmoid"),
  Tanh: plain("tanh"),
  LeakyRelu: (context, x, [alpha = 0.01]) => leakyRelu(context, x, constantScalar(context, alpha)),
  Clip: ({ emit }, x, [lo = -Infinity, hi = Infinity]) => emit("clip", [x], { lo, hi }),
  HardSigmoid: (context, x, [alpha = 0.2, beta = 0.5]) => {
    const { emit } = context;
    const line = emit("add", [emit("mul", [x, constantScalar(context, alpha)]), constantScalar(context, beta)]);
    return emit("clip", [line], { lo: 0, hi: 1 });
  },
};

function applyActivation(context: LowerContext, x: GraphOperand, params: readonly number[]): GraphOperand {
  const name = stringAttr(context, "activation", "");
  const activation = Object.hasOwn(activations, name) ? activations[name] : undefined;
  return activation ? activation(context, x, params) : refuseNode(`the activation ${name}`);
}

/** Conv, plus a fourth operand, then the activation. */
function fusedConv(context: LowerContext): GraphOperand {
  const sums = conv(context);
  const beside = context.inputs[3];
  const whole = beside ? context.emit("add", [sums, beside]) : sums;
  return applyActivation(context, whole, listAttr(context, "activation_params") ?? []);
}

function fusedGemm(context: LowerContext): GraphOperand {
  const names = ["activation_alpha", "activation_beta"].filter((name) => context.node.attributes.has(name));
  const params = names.map((name) => intAttr(context, name, 0));
  return applyActivation(context, gemm(context), params);
}

/** Products of com.microsoft with a fused activation. */
export const fusedActivationLowerings: LowerTable = {
  "com.microsoft.FusedConv": fusedConv,
  "com.microsoft.FusedGemm": fusedGemm,
};
