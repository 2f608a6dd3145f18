import { registry } from "../../../ir/registry.ts";
import type { OnnxNode } from "../records.ts";
import { activationLowerings } from "./activation.ts";
import { attentionLowerings } from "./attention.ts";
import { constantLowerings } from "./constants.ts";
import { type Lowering, type LowerTable, plainAttrs } from "./context.ts";
import { convolutionLowerings } from "./convolution.ts";
import { linearLowerings } from "./linear.ts";
import { normLowerings } from "./norm.ts";
import { reduceLowerings } from "./reduce.ts";
import { shapeLowerings } from "./shapes.ts";
import { topKLowerings } from "./top-k.ts";

const tables: readonly LowerTable[] = [
  constantLowerings,
  shapeLowerings,
  reduceLowerings,
  topKLowerings,
  linearLowerings,
  convolutionLowerings,
  normLowerings,
  activationLowerings,
  attentionLowerings,
];

/** Operators of the default domain by their bare name, of others as `domain.Operator`. */
const lowerings: ReadonlyMap<string, Lowering> = new Map([
  ...bound(),
  ...tables.flatMap((table) => Object.entries(table)),
]);

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

/** What to do instead of an operator that the compiler does not know. */
const hints: Readonly<Record<string, string>> = {
  LogSoftmax: "end the model at its logits: the client takes the logarithm itself",
  ConvTranspose: "Conv is supported",
  ConvInteger: "export the model in float32 or float16: the compiler quantises itself",
  LpPool: "AveragePool and MaxPool are supported",
  If: "export with static control flow (torch.export, or trace with fixed arguments)",
  Loop: "unroll it: trace the model with a fixed length instead of scripting it",
  Scan: "unroll it: trace the model with a fixed length instead of scripting it",
  GroupQueryAttention: "export without ONNX Runtime's fusions (torch.onnx.export): the plain operators are recognised",
  MultiHeadAttention: "export without ONNX Runtime's fusions (torch.onnx.export): the plain operators are recognised",
  MatMulNBits: "export the model in float32 or float16: the compiler quantises itself",
  DynamicQuantizeLinear: "export the model in float32 or float16: the compiler quantises itself",
  DequantizeLinear: "export the model in float32 or float16: the compiler quantises itself",
  QuantizeLinear: "export the model in float32 or float16: the compiler quantises itself",
  MatMulInteger: "export the model in float32 or float16: the compiler quantises itself",
  Einsum: "write it as MatMul with Transpose and Reshape",
  NonZero: "its shape depends on data: use Where with a mask of fixed shape",
  LSTM: "recurrent operators are not supported yet: unroll the cell when exporting",
  GRU: "recurrent operators are not supported yet: unroll the cell when exporting",
  Elu: "Relu, Gelu or Swish are supported",
  Softplus: "Relu, Gelu or Swish are supported",
  HardSwish: "Swish is supported",
  Mish: "Swish is supported",
};

export function hintFor({ op, domain }: Pick<OnnxNode, "op" | "domain">): string {
  const plain =
    domain !== "" && lowerings.has(op) ? `the operator ${op} of the default domain is supported` : undefined;
  return hints[op] ?? plain ?? "rewrite the model with operators that are supported; marillc check lists all blockers";
}
