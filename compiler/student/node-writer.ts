import type { OnnxAttribute, OnnxNode, OnnxTensor } from "../onnx/format/index.ts";
import { type Dtype, encodeElements } from "../tensors/index.ts";

/** Writes new nodes with their constants, all named under one prefix. */
export interface NodeWriter {
  readonly nodes: OnnxNode[];
  readonly tensors: Map<string, OnnxTensor>;
  /** Adds a node with one output; `output` sets its name. */
  readonly add: (op: string, inputs: readonly string[], attributes?: NodeAttributes, output?: string) => string;
  /** Name of an integer constant; equal ones are one. */
  readonly ints: (values: readonly number[]) => string;
  /** Name of a scalar. */
  readonly number: (value: number, dtype: Dtype) => string;
}

type NodeAttributes = Readonly<Record<string, number | readonly number[]>>;

const attributeOf = (value: number | readonly number[]): OnnxAttribute =>
  typeof value === "number" ? { kind: "int", value } : { kind: "ints", value };

export function createNodeWriter(prefix: string): NodeWriter {
  const nodes: OnnxNode[] = [];
  const tensors = new Map<string, OnnxTensor>();
  const counts = new Map<string, number>();
  const constant = (name: string, dtype: Dtype, dims: readonly number[], data: readonly number[]): string => {
    const source = { kind: "inline", bytes: encodeElements(dtype as "float32", Float64Array.from(data)) } as const;
    tensors.set(name, { name, dtype, dims, source });
    return name;
  };
  const add: NodeWriter["add"] = (op, inputs, attributes = {}, output) => {
    const count = counts.get(op) ?? 0;
    counts.set(op, count + 1);
    const name = `${prefix}/${op}${count === 0 ? "" : `_${count}`}`;
    const attributesOf = new Map(Object.entries(attributes).map(([key, value]) => [key, attributeOf(value)]));
    const result = output ?? `${name}_output_0`;
    nodes.push({ name, op, domain: "", inputs, outputs: [result], attributes: attributesOf, metadata: new Map() });
    return result;
  };
  return {
    nodes,
    tensors,
    add,
    ints: (values) =>
      constant(`${prefix}/ints_${values.join("_").replaceAll("-", "m")}`, "int64", [values.length], values),
    number: (value, dtype) => {
      const plain = dtype === "float64" ? dtype : "float32";
      const name = constant(`${prefix}/number_${value}`, plain, [], [value]);
      // The runtime makes half precision: these numbers are exact in it, or their error does not matter.
      return plain === dtype ? name : add("Cast", [name], { to: dtype === "bfloat16" ? 16 : 10 });
    },
  };
}

/** A scope for new nodes that belong to a node: its own, within the node's scope, which other nodes may share. */
export function nodeScope(node: string, what: string): string {
  const cut = node.startsWith("/") ? node.lastIndexOf("/") : 0;
  return cut > 0 ? `${node.slice(0, cut)}/${what}${node.slice(cut)}` : `${node}/${what}`;
}
