import { registry } from "../../../../ir/registry.ts";
import type { OnnxNode } from "../../format/index.ts";
import { type Lowering, type LowerTable, toAttrs } from "../graph/index.ts";
import { controlFlowLowerings } from "./controlflow/control-flow.ts";
import { constantLowerings } from "./generator/constants.ts";
import { activationLowerings } from "./math/activation.ts";
import { einsumLowerings } from "./math/einsum.ts";
import { elementaryLowerings } from "./math/elementary.ts";
import { fourierLowerings } from "./math/fourier.ts";
import { linearLowerings } from "./math/linear.ts";
import { piecewiseLowerings } from "./math/piecewise.ts";
import { topKLowerings } from "./math/top-k.ts";
import { withInterfaceCheck } from "./microsoft/contrib-interfaces.ts";
import { contribLowerings } from "./microsoft/contrib-operators.ts";
import { fusedActivationLowerings } from "./microsoft/fused-activation.ts";
import { groupQueryLowerings } from "./microsoft/group-query-attention.ts";
import { multiHeadLowerings } from "./microsoft/multi-head-attention.ts";
import { classicModelLowerings } from "./ml/classic-models.ts";
import { attentionLowerings } from "./nn/attention.ts";
import { batchNormLowerings } from "./nn/batch-norm.ts";
import { convolutionLowerings } from "./nn/convolution.ts";
import { normLowerings } from "./nn/norm.ts";
import { transposedConvolutionLowerings } from "./nn/transposed-convolution.ts";
import { integerLowerings } from "./quantization/integer-products.ts";
import { argMinMaxLowerings } from "./reduction/arg-min-max.ts";
import { reduceLowerings } from "./reduction/reduce.ts";
import { recurrentLowerings } from "./rnn/recurrent.ts";
import { depthSpaceLowerings } from "./tensor/depth-space.ts";
import { gatherScatterLowerings } from "./tensor/gather-scatter.ts";
import { layoutLowerings } from "./tensor/layout.ts";
import { padLowerings } from "./tensor/pad.ts";
import { resizeLowerings } from "./tensor/resize.ts";

const tables: readonly LowerTable[] = [
  constantLowerings,
  layoutLowerings,
  gatherScatterLowerings,
  padLowerings,
  depthSpaceLowerings,
  resizeLowerings,
  reduceLowerings,
  argMinMaxLowerings,
  topKLowerings,
  linearLowerings,
  einsumLowerings,
  fourierLowerings,
  integerLowerings,
  convolutionLowerings,
  transposedConvolutionLowerings,
  batchNormLowerings,
  normLowerings,
  activationLowerings,
  piecewiseLowerings,
  elementaryLowerings,
  attentionLowerings,
  groupQueryLowerings,
  multiHeadLowerings,
  contribLowerings,
  fusedActivationLowerings,
  recurrentLowerings,
  controlFlowLowerings,
  classicModelLowerings,
];

/** Operators of the default domain by their bare name, of others as `domain.Operator`. */
const lowerings: ReadonlyMap<string, Lowering> = new Map(
  [...boundLowerings(), ...tables.flatMap((table) => Object.entries(table))].map(withInterfaceCheck),
);

/** Operators that the op tables bind one to one. */
function boundLowerings(): (readonly [string, Lowering])[] {
  return [...registry.values()].flatMap((def) =>
    (def.onnx ?? []).map(({ op, domain = "", attrs }) => {
      const lowering: Lowering = ({ node, inputs, emit }) => {
        const operands = inputs.filter((operand) => operand !== undefined);
        return emit(def.name, operands, attrs?.(toAttrs(node)) ?? {});
      };
      return [keyOf(op, domain), lowering] as const;
    }),
  );
}

function keyOf(op: string, domain: string): string {
  return domain === "" ? op : `${domain}.${op}`;
}

export function loweringOf({ op, domain }: Pick<OnnxNode, "op" | "domain">): Lowering | undefined {
  return lowerings.get(keyOf(op, domain));
}

const quantizedActivationHint =
  "quantized activations are not supported: quantize the weights alone (MatMulNBits, or DequantizeLinear on stored tensors), or export in float32 or float16; the compiler quantizes activations itself";

/** What to do about an operator that the compiler does not support. */
const loweringHints: Readonly<Record<string, string>> = {
  MatMulNBits: "its weight must be stored in the file",
  DynamicQuantizeLinear: quantizedActivationHint,
  DequantizeLinear: quantizedActivationHint,
  QuantizeLinear: quantizedActivationHint,
  QLinearMatMul: quantizedActivationHint,
  QLinearConv: quantizedActivationHint,
  Unique: "its shape depends on data: programs have one shape",
  NonMaxSuppression: "its shape depends on data: end the model at its scores and boxes",
  StringNormalizer: "text has no fixed point: the client normalises it before the model",
  RandomNormal: "export the model in evaluation mode, or make the random numbers an input",
  RandomNormalLike: "export the model in evaluation mode, or make the random numbers an input",
  RandomUniform: "export the model in evaluation mode, or make the random numbers an input",
  RandomUniformLike: "export the model in evaluation mode, or make the random numbers an input",
  Bernoulli: "export the model in evaluation mode, or make the random numbers an input",
  Multinomial: "end the model at its logits: the client samples itself",
  SequenceConstruct: "a sequence is supported where the graph fixes the positions of its members",
  SplitToSequence: "a sequence is supported where the graph fixes the positions of its members",
};

export function hintFor({ op, domain }: Pick<OnnxNode, "op" | "domain">): string {
  const plain =
    domain !== "" && lowerings.has(op) ? `the operator ${op} of the default domain is supported` : undefined;
  return (
    (Object.hasOwn(loweringHints, op) ? loweringHints[op] : undefined) ??
    plain ??
    "rewrite the model with operators that are supported; marillc check lists all blockers"
  );
}
