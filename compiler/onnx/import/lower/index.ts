import { registry } from "../../../../ir/registry.ts";
import type { OnnxNode } from "../../format/index.ts";
import { type Lowering, type LowerTable, plainAttrs } from "../graph/index.ts";
import { controlLowerings } from "./controlflow/control.ts";
import { constantLowerings } from "./generator/constants.ts";
import { activationLowerings } from "./math/activation.ts";
import { einsumLowerings } from "./math/einsum.ts";
import { elementaryLowerings } from "./math/elementary.ts";
import { fourierLowerings } from "./math/fourier.ts";
import { linearLowerings } from "./math/linear.ts";
import { piecewiseLowerings } from "./math/piecewise.ts";
import { topKLowerings } from "./math/top-k.ts";
import { fusedLowerings } from "./microsoft/fused.ts";
import { fusedActivationLowerings } from "./microsoft/fused-activation.ts";
import { groupQueryLowerings } from "./microsoft/group-query-attention.ts";
import { checked } from "./microsoft/microsoft.ts";
import { multiHeadLowerings } from "./microsoft/multi-head-attention.ts";
import { attentionLowerings } from "./nn/attention.ts";
import { batchNormLowerings } from "./nn/batch-norm.ts";
import { convolutionLowerings } from "./nn/convolution.ts";
import { normLowerings } from "./nn/norm.ts";
import { transposedConvolutionLowerings } from "./nn/transposed-convolution.ts";
import { integerLowerings } from "./quantization/integers.ts";
import { argExtremeLowerings } from "./reduction/arg-extreme.ts";
import { reduceLowerings } from "./reduction/reduce.ts";
import { recurrentLowerings } from "./rnn/recurrent.ts";
import { depthSpaceLowerings } from "./tensor/depth-space.ts";
import { padLowerings } from "./tensor/pad.ts";
import { placeLowerings } from "./tensor/places.ts";
import { resizeLowerings } from "./tensor/resize.ts";
import { shapeLowerings } from "./tensor/shapes.ts";

const tables: readonly LowerTable[] = [
  constantLowerings,
  shapeLowerings,
  placeLowerings,
  padLowerings,
  depthSpaceLowerings,
  resizeLowerings,
  reduceLowerings,
  argExtremeLowerings,
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
  fusedLowerings,
  fusedActivationLowerings,
  recurrentLowerings,
  controlLowerings,
];

/** Operators of the default domain by their bare name, of others as `domain.Operator`. */
const lowerings: ReadonlyMap<string, Lowering> = new Map(
  [...bound(), ...tables.flatMap((table) => Object.entries(table))].map(checked),
);

/** One to one, as the op tables say. */
function bound(): (readonly [string, Lowering])[] {
  return [...registry.values()].flatMap((def) =>
    (def.onnx ?? []).map(({ op, domain = "", attrs }) => {
      const lowering: Lowering = ({ node, inputs, emit }) => {
        const operands = inputs.filter((operand) => operand !== undefined);
        return emit(def.name, operands, attrs?.(plainAttrs(node)) ?? {});
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

const activations =
  "quantised weights are taken, quantised activations are not: quantise the weights alone (MatMulNBits, or DequantizeLinear on stored tensors), or export in float32 or float16; the compiler quantises activations itself";

/** What to do instead of an operator that the compiler does not know. */
const hints: Readonly<Record<string, string>> = {
  MatMulNBits: "its weight must be stored in the file",
  DynamicQuantizeLinear: activations,
  DequantizeLinear: activations,
  QuantizeLinear: activations,
  QLinearMatMul: activations,
  QLinearConv: activations,
  Unique: "its shape depends on data: programs have one shape",
  NonMaxSuppression: "its shape depends on data: end the model at its scores and boxes",
  StringNormalizer: "text has no fixed point: the client normalises it before the model",
  RandomNormal: "export the model in evaluation mode, or make the random numbers an input",
  RandomNormalLike: "export the model in evaluation mode, or make the random numbers an input",
  RandomUniform: "export the model in evaluation mode, or make the random numbers an input",
  RandomUniformLike: "export the model in evaluation mode, or make the random numbers an input",
  Bernoulli: "export the model in evaluation mode, or make the random numbers an input",
  Multinomial: "end the model at its logits: the client samples itself",
  SequenceConstruct: "a sequence is supported where its members are taken at places that the graph says",
  SplitToSequence: "a sequence is supported where its members are taken at places that the graph says",
};

export function hintFor({ op, domain }: Pick<OnnxNode, "op" | "domain">): string {
  const plain =
    domain !== "" && lowerings.has(op) ? `the operator ${op} of the default domain is supported` : undefined;
  return (
    (Object.hasOwn(hints, op) ? hints[op] : undefined) ??
    plain ??
    "rewrite the model with operators that are supported; marillc check lists all blockers"
  );
}
