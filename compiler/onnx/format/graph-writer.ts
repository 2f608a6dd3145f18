import onnxProto, { type onnx as proto } from "onnx-proto";
import type { Tensor } from "../../../ir/tensor.ts";
import { encodeElements, onnxTypeNumber } from "../../tensors/index.ts";
import { toLong } from "./proto-int64.ts";

const { onnx } = onnxProto;

export type WrittenDtype = "float32" | "int64" | "bool";
type WriterAttribute = number | string | readonly number[];

/** Builds a new graph. The writer names intermediate values; the caller names inputs and outputs. */
export interface GraphWriter {
  /** `dims`: a size, or the name of an unknown one. */
  readonly input: (name: string, dtype: WrittenDtype, dims: readonly (number | string)[]) => void;
  readonly output: (name: string, from: string, dtype: WrittenDtype, dims: readonly (number | string)[]) => void;
  readonly tensor: (dtype: WrittenDtype, tensor: Tensor) => string;
  /** A 1-D int64 tensor, and a real scalar. */
  readonly integers: (values: readonly number[]) => string;
  readonly float: (value: number) => string;
  /**
   * Adds a node and returns the name of its output. An absent operand is "". Integers become attributes of kind int.
   */
  readonly node: (op: string, inputs: readonly string[], attrs?: Readonly<Record<string, WriterAttribute>>) => string;
  readonly finish: (name: string) => Uint8Array;
}

/** The operator set; onnxruntime supports it from 1.17 on. */
const opset = 20;
const irVersion = 9;

export function createGraphWriter(): GraphWriter {
  const [inputs, outputs]: [proto.IValueInfoProto[], proto.IValueInfoProto[]] = [[], []];
  const nodes: proto.INodeProto[] = [];
  const initializers: proto.ITensorProto[] = [];
  let count = 0;
  /** No exporter's tensor name begins like this. */
  const fresh = (): string => `marillc.${count++}`;
  const store = (dtype: WrittenDtype, { shape, data }: Tensor): string => {
    const name = fresh();
    initializers.push({
      name,
      dims: [...shape],
      dataType: onnxTypeNumber(dtype),
      rawData: encodeElements(dtype, data),
    });
    return name;
  };
  const node: GraphWriter["node"] = (op, operands, attrs = {}) => {
    const name = fresh();
    const attribute = Object.entries(attrs).map(([key, value]) => ({ name: key, ...attributeOf(value) }));
    nodes.push({ opType: op, name, input: [...operands], output: [name], attribute });
    return name;
  };
  return {
    input: (name, dtype, dims) => void inputs.push(valueInfo(name, dtype, dims)),
    output: (name, from, dtype, dims) => {
      nodes.push({ opType: "Identity", name: fresh(), input: [from], output: [name], attribute: [] });
      outputs.push(valueInfo(name, dtype, dims));
    },
    tensor: store,
    integers: (values) => store("int64", { shape: [values.length], data: Float64Array.from(values) }),
    float: (value) => store("float32", { shape: [], data: Float64Array.of(value) }),
    node,
    finish: (name) =>
      onnx.ModelProto.encode(
        onnx.ModelProto.create({
          irVersion,
          producerName: "marillc",
          opsetImport: [{ domain: "", version: opset }],
          graph: { name, node: nodes, initializer: initializers, input: inputs, output: outputs },
        }),
      ).finish(),
  };
}

function valueInfo(name: string, dtype: WrittenDtype, dims: readonly (number | string)[]): proto.IValueInfoProto {
  const dim = dims.map((size) => (typeof size === "number" ? { dimValue: size } : { dimParam: size }));
  return { name, type: { tensorType: { elemType: onnxTypeNumber(dtype), shape: { dim } } } };
}

/** The numbers are AttributeProto.AttributeType. */
function attributeOf(value: WriterAttribute): proto.IAttributeProto {
  if (typeof value === "string") return { type: 3, s: new TextEncoder().encode(value) };
  if (typeof value === "number") return { type: 2, i: toLong(value) };
  return { type: 7, ints: value.map(toLong) };
}
