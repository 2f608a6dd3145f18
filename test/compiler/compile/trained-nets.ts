import type { onnx as proto } from "onnx-proto";
import { sizeOf } from "../../../ir/type.ts";
import { numbers } from "../../end-to-end/tiny-model.ts";
import { floatTensor, node } from "../onnx/format/build-model.ts";

/** A network whose weights are as large as training makes them, and which has no public base. */
export interface TrainedNet {
  readonly input: readonly number[];
  /** Token numbers below this; absent: reals. */
  readonly tokens?: number;
  readonly output: readonly number[];
  readonly weights: readonly proto.ITensorProto[];
  readonly nodes: readonly proto.INodeProto[];
}

type Value = number | string | readonly number[] | { readonly float: number };
const attribute = ([name, value]: readonly [string, Value]): proto.IAttributeProto => {
  if (typeof value === "number") return { name, type: 2, i: value };
  if (typeof value === "string") return { name, type: 3, s: Buffer.from(value) };
  return "float" in value ? { name, type: 1, f: value.float } : { name, type: 7, ints: [...value] };
};
const op = (
  type: string,
  inputs: readonly string[],
  output: string | readonly string[],
  attrs: Readonly<Record<string, Value>> = {},
): proto.INodeProto => {
  const outputs = typeof output === "string" ? [output] : output;
  return {
    ...node(type, [...inputs], [...outputs], `/${outputs.find(Boolean)}`),
    attribute: Object.entries(attrs).map(attribute),
  };
};

let seed = 0;
/** Three times the start of a layer with so many terms: what some hundred steps of training make of it. */
const trained = (name: string, dims: number[], terms: number): proto.ITensorProto => {
  seed += 17;
  return floatTensor(name, dims, numbers(sizeOf(dims), seed, 3 / Math.sqrt(terms)));
};
const around = (name: string, dims: number[], centre: number, reach: number): proto.ITensorProto => {
  seed += 17;
  return floatTensor(
    name,
    dims,
    numbers(sizeOf(dims), seed, reach).map((x) => centre + x),
  );
};
const shapeOf = (name: string, ...values: number[]): proto.ITensorProto => ({
  ...{ name, dims: [values.length], dataType: 7, int64Data: values },
});

const recurrent = (type: "LSTM" | "GRU" | "RNN", gates: number): TrainedNet => ({
  input: [5, 1, 4],
  output: [1, 3],
  weights: [
    trained("l.W", [1, gates * 6, 4], 4),
    trained("l.R", [1, gates * 6, 6], 6),
    trained("l.B", [1, gates * 12], 6),
    trained("fc.weight", [3, 6], 6),
    trained("fc.bias", [3], 6),
    shapeOf("rows", 1, 6),
  ],
  nodes: [
    op(type, ["x", "l.W", "l.R", "l.B"], ["", "h"], { hidden_size: 6 }),
    op("Reshape", ["h", "rows"], "flat"),
    op("Gemm", ["flat", "fc.weight", "fc.bias"], "y", { transB: 1 }),
  ],
});

/** By name: one kind of weight each, or several. */
export const trainedNets: Readonly<Record<string, TrainedNet>> = {
  "Gemm, Relu": {
    input: [1, 16],
    output: [1, 4],
    weights: [
      trained("a.weight", [12, 16], 16),
      trained("a.bias", [12], 16),
      trained("b.weight", [4, 12], 12),
      trained("b.bias", [4], 12),
    ],
    nodes: [
      op("Gemm", ["x", "a.weight", "a.bias"], "h", { transB: 1 }),
      op("Relu", ["h"], "r"),
      op("Gemm", ["r", "b.weight", "b.bias"], "y", { transB: 1 }),
    ],
  },
  "MatMul and Add without names, Softmax": {
    input: [2, 8],
    output: [2, 3],
    weights: [
      trained("coefficient", [8, 10], 8),
      trained("intercepts", [1, 10], 8),
      trained("coefficient1", [10, 3], 10),
      trained("intercepts1", [1, 3], 10),
    ],
    nodes: [
      op("MatMul", ["x", "coefficient"], "m"),
      op("Add", ["m", "intercepts"], "s"),
      op("Tanh", ["s"], "t"),
      op("MatMul", ["t", "coefficient1"], "n"),
      op("Add", ["n", "intercepts1"], "o"),
      op("Softmax", ["o"], "y", { axis: 1 }),
    ],
  },
  "Conv, depthwise Conv, ConvTranspose": {
    input: [1, 2, 6, 6],
    output: [1, 2, 8, 8],
    weights: [
      trained("a.weight", [4, 2, 3, 3], 18),
      trained("a.bias", [4], 18),
      trained("b.weight", [4, 1, 3, 3], 9),
      trained("c.weight", [4, 2, 3, 3], 36),
      trained("c.bias", [2], 36),
    ],
    nodes: [
      op("Conv", ["x", "a.weight", "a.bias"], "h", { pads: [1, 1, 1, 1] }),
      op("Relu", ["h"], "r"),
      op("Conv", ["r", "b.weight"], "d", { pads: [1, 1, 1, 1], group: 4 }),
      op("ConvTranspose", ["d", "c.weight", "c.bias"], "y"),
    ],
  },
  "BatchNormalization with running statistics": {
    input: [1, 3, 4, 4],
    output: [1, 3, 4, 4],
    weights: [
      around("n.weight", [3], 1, 0.5),
      around("n.bias", [3], 0, 0.5),
      around("n.running_mean", [3], 0, 2),
      around("n.running_var", [3], 4, 2),
    ],
    nodes: [op("BatchNormalization", ["x", "n.weight", "n.bias", "n.running_mean", "n.running_var"], "y")],
  },
  "LayerNormalization with scale and bias": {
    input: [3, 8],
    output: [3, 8],
    weights: [trained("a.weight", [8, 8], 8), around("n.weight", [8], 1, 0.7), around("n.bias", [8], 0, 0.7)],
    nodes: [op("MatMul", ["x", "a.weight"], "h"), op("LayerNormalization", ["h", "n.weight", "n.bias"], "y")],
  },
  LSTM: recurrent("LSTM", 4),
  GRU: recurrent("GRU", 3),
  RNN: recurrent("RNN", 1),
  "an embedding and positions": {
    input: [1, 4],
    tokens: 12,
    output: [1, 4, 3],
    weights: [
      around("tok.weight", [12, 8], 0, 1.5),
      around("pos.weight", [1, 4, 8], 0, 0.5),
      trained("head.weight", [8, 3], 8),
    ],
    nodes: [
      op("Gather", ["tok.weight", "x"], "e"),
      op("Add", ["e", "pos.weight"], "s"),
      op("MatMul", ["s", "head.weight"], "y"),
    ],
  },
  "PReLU with slopes": {
    input: [1, 6],
    output: [1, 6],
    weights: [trained("a.weight", [6, 6], 6), around("p.weight", [6], 0.25, 0.2)],
    nodes: [op("MatMul", ["x", "a.weight"], "h"), op("PRelu", ["h", "p.weight"], "y")],
  },
  "scales and scalars": {
    input: [1, 6],
    output: [1, 6],
    weights: [
      around("shift.mean", [6], 1, 1),
      around("scale.deviation", [6], 2, 1),
      around("gain.weight", [1], 1.5, 0.25),
    ],
    nodes: [
      op("Sub", ["x", "shift.mean"], "c"),
      op("Div", ["c", "scale.deviation"], "n"),
      op("Mul", ["n", "gain.weight"], "g"),
      op("Sigmoid", ["g"], "y"),
    ],
  },
  "projections of attention": {
    input: [1, 3, 8],
    output: [1, 3, 8],
    weights: ["q", "k", "v", "o"].map((name) => trained(`${name}.weight`, [8, 8], 8)),
    nodes: [
      ...["q", "k", "v"].map((name) => op("MatMul", ["x", `${name}.weight`], name)),
      op("Transpose", ["k"], "kt", { perm: [0, 2, 1] }),
      op("MatMul", ["q", "kt"], "scores"),
      op("Softmax", ["scores"], "p", { axis: -1 }),
      op("MatMul", ["p", "v"], "z"),
      op("MatMul", ["z", "o.weight"], "y"),
    ],
  },
  "weights behind Transpose and Reshape": {
    input: [1, 6],
    output: [1, 4],
    weights: [trained("a.weight", [4, 6], 6), around("b.bias", [2, 2], 0, 1), shapeOf("flat", 1, 4)],
    nodes: [
      op("Transpose", ["a.weight"], "at", { perm: [1, 0] }),
      op("Reshape", ["b.bias", "flat"], "bf"),
      op("MatMul", ["x", "at"], "h"),
      op("Add", ["h", "bf"], "y"),
    ],
  },
  "a normalised weight, g · v / ‖v‖": {
    input: [1, 6],
    output: [1, 4],
    weights: [trained("l.weight_v", [6, 4], 6), around("l.weight_g", [1, 4], 2, 1)],
    nodes: [
      op("ReduceL2", ["l.weight_v"], "norm", { axes: [0], keepdims: 1 }),
      op("Div", ["l.weight_v", "norm"], "unit"),
      op("Mul", ["unit", "l.weight_g"], "w"),
      op("MatMul", ["x", "w"], "y"),
    ],
  },
  "bounds of a clipping, and a learned row": {
    input: [2, 4],
    output: [3, 4],
    weights: [trained("a.weight", [4, 4], 4), around("cap.most", [1], 1.5, 0.25), around("cls.weight", [1, 4], 0, 1)],
    nodes: [
      op("MatMul", ["x", "a.weight"], "h"),
      op("Min", ["h", "cap.most"], "m"),
      op("Concat", ["cls.weight", "m"], "y", { axis: 0 }),
    ],
  },
  "a kernel of one axis, and group statistics": {
    input: [1, 4, 10],
    output: [1, 4, 8],
    weights: [
      trained("c.weight", [4, 4, 3], 12),
      trained("c.bias", [4], 12),
      around("n.weight", [4], 1, 0.5),
      around("n.bias", [4], 0, 0.5),
    ],
    nodes: [
      op("Conv", ["x", "c.weight", "c.bias"], "h"),
      op("InstanceNormalization", ["h", "n.weight", "n.bias"], "y"),
    ],
  },
};

/** Layers of products and maxima: the limits of private weights alone bound its values by 2^7 more for each. */
export function deepNet(depth: number): TrainedNet {
  const layers = Array.from({ length: depth }, (_, at) => at);
  return {
    input: [1, 16],
    output: [1, 16],
    weights: layers.map((at) => trained(`l${at}.weight`, [16, 16], 16)),
    nodes: layers.flatMap((at) => [
      op("MatMul", [at === 0 ? "x" : `r${at - 1}`, `l${at}.weight`], at === depth - 1 ? "y" : `h${at}`),
      ...(at === depth - 1 ? [] : [op("Relu", [`h${at}`], `r${at}`)]),
    ]),
  };
}
