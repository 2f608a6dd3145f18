import { registry } from "../../../ir/registry.ts";
import type { OnnxNode } from "../records.ts";
import { activationLowerings } from "./activation.ts";
import { argExtremeLowerings } from "./arg-extreme.ts";
import { attentionLowerings } from "./attention.ts";
import { batchNormLowerings } from "./batch-norm.ts";
import { constantLowerings } from "./constants.ts";
import { type Lowering, type LowerTable, plainAttrs } from "./context.ts";
import { controlLowerings } from "./control.ts";
import { convolutionLowerings } from "./convolution.ts";
import { depthSpaceLowerings } from "./depth-space.ts";
import { einsumLowerings } from "./einsum.ts";
import { elementaryLowerings } from "./elementary.ts";
import { fourierLowerings } from "./fourier.ts";
import { fusedLowerings } from "./fused.ts";
import { fusedActivationLowerings } from "./fused-activation.ts";
import { groupQueryLowerings } from "./group-query-attention.ts";
import { integerLowerings } from "./integers.ts";
import { linearLowerings } from "./linear.ts";
import { checked } from "./microsoft.ts";
import { multiHeadLowerings } from "./multi-head-attention.ts";
import { normLowerings } from "./norm.ts";
import { padLowerings } from "./pad.ts";
import { piecewiseLowerings } from "./piecewise.ts";
import { placeLowerings } from "./places.ts";
import { recurrentLowerings } from "./recurrent.ts";
import { reduceLowerings } from "./reduce.ts";
import { resizeLowerings } from "./resize.ts";
import { shapeLowerings } from "./shapes.ts";
import { topKLowerings } from "./top-k.ts";
import { transposedConvolutionLowerings } from "./transposed-convolution.ts";

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
