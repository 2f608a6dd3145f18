import { encodeElements, onnxTypeNumber } from "../../tensors/index.ts";
import type { OnnxAttribute, OnnxModel, OnnxNode, OnnxTensor } from "./model-records.ts";
import { readTensor } from "./read-tensor.ts";

const isHalfPrecision = ({ dtype }: Pick<OnnxTensor, "dtype">): boolean => dtype === "float16" || dtype === "bfloat16";
const halfTypes: ReadonlySet<number> = new Set([onnxTypeNumber("float16"), onnxTypeNumber("bfloat16")]);
const float32Type = onnxTypeNumber("float32");

/** An unnamed node that casts a value to single precision. */
const toSingle = (from: string, to: string): OnnxNode => ({
  name: `${to}/Cast`,
  op: "Cast",
  domain: "",
  inputs: [from],
  outputs: [to],
  attributes: new Map([["to", { kind: "int", value: float32Type }]]),
  metadata: new Map(),
});

/**
 * Converts the client's part of a half-precision model to single precision: the client's runtime has no bfloat16, and
 * the secure part takes float32. Stored tensors keep their bytes, behind a Cast, as the manifest has their digests.
 */
export function toSinglePrecision(
  model: OnnxModel,
  nodes: readonly OnnxNode[],
  initializers: readonly OnnxTensor[],
): readonly OnnxNode[] {
  const stored = initializers.filter(isHalfPrecision).map(({ name }) => name);
  const constants = new Set(nodes.filter(isHalfConstant).map(({ outputs }) => outputs[0]!));
  const half = new Set([...stored, ...constants]);
  const wide = (name: string): string => (half.has(name) ? `${name}.single` : name);
  const convert = (node: OnnxNode): readonly OnnxNode[] => {
    const [output = ""] = node.outputs;
    if (constants.has(output)) return [node, toSingle(output, wide(output))];
    const attributes = new Map([...node.attributes].map(([name, value]) => [name, attribute(node, name, value)]));
    return [{ ...node, inputs: node.inputs.map(wide), attributes }];
  };
  const attribute = (node: OnnxNode, name: string, value: OnnxAttribute): OnnxAttribute => {
    if (value.kind === "int" && name === "to" && node.op === "Cast" && halfTypes.has(value.value)) {
      return { kind: "int", value: float32Type };
    }
    if (value.kind === "tensor" && isHalfPrecision(value.value)) {
      const bytes = encodeElements("float32", readTensor(model, value.value).data);
      return { kind: "tensor", value: { ...value.value, dtype: "float32", source: { kind: "inline", bytes } } };
    }
    if (value.kind !== "graph") return value;
    return { kind: "graph", value: { ...value.value, nodes: value.value.nodes.flatMap(convert) } };
  };
  return [...stored.map((name) => toSingle(name, wide(name))), ...nodes.flatMap(convert)];
}

function isHalfConstant({ op, domain, attributes }: OnnxNode): boolean {
  const value = op === "Constant" && domain === "" ? attributes.get("value") : undefined;
  return value?.kind === "tensor" && isHalfPrecision(value.value);
}
