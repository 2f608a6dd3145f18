// Valid files to begin with: small models of every kind of node, weights, adapters and inputs, and the fixtures.
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import onnxProto from "onnx-proto";
import { writeNpy } from "../../dist/compiler/tensors/npy.js";
import { writeNpz } from "../../dist/compiler/tensors/npz.js";
import { writeSafetensors } from "../../dist/compiler/tensors/safetensors.js";

const { onnx } = onnxProto;
const text = (value) => new TextEncoder().encode(value);
const info = (name, dims, elemType = 1) => {
  const dim = dims.map((size) => (typeof size === "number" ? { dimValue: size } : { dimParam: size }));
  return { name, type: { tensorType: { elemType, shape: { dim } } } };
};
const values = (count) => Array.from({ length: count }, (_, at) => Math.fround(Math.sin(at * 7.3 + count)));
const size = (dims) => dims.reduce((product, extent) => product * extent, 1);
const floats = (name, ...dims) => ({ name, dims, dataType: 1, floatData: values(size(dims)) });
const ints = (name, ...list) => ({ name, dims: [list.length], dataType: 7, int64Data: list });
const bytes = (name, dataType, ...dims) => ({
  name,
  dims,
  dataType,
  int32Data: Array.from({ length: size(dims) }, (_, at) => (at * 37) % 100),
});
const flag = (name, value) => ({ name, dims: [], dataType: 9, int32Data: [value] });

const attribute = ([name, value]) => {
  if (typeof value === "number") return { name, type: 2, i: value };
  if (typeof value === "string") return { name, type: 3, s: text(value) };
  if (Array.isArray(value)) return { name, type: 7, ints: value };
  if (value.node) return { name, type: 5, g: value };
  return value.dataType ? { name, type: 4, t: value } : { name, type: 1, f: value.float };
};
const node = (opType, input, output, attributes = {}) => ({
  opType,
  name: `/layers.0/${opType}`,
  input: input.split(" ").map((each) => (each === "_" ? "" : each)),
  output: output.split(" "),
  attribute: Object.entries(attributes).map(attribute),
});
const model = (name, version, inputs, outputs, initializer, nodes) => {
  const graph = { name, input: inputs, output: outputs.map((each) => info(each, [])), initializer, node: nodes };
  const opsetImport = [
    { domain: "", version },
    ...(["contrib", "fused", "quantised"].includes(name) ? [{ domain: "com.microsoft", version: 1 }] : []),
  ];
  return onnx.ModelProto.encode(onnx.ModelProto.create({ irVersion: 8, opsetImport, graph })).finish();
};

const branch = (name, op) => ({
  name,
  node: [node(op, "x", `${name}_y`)],
  output: [info(`${name}_y`, [])],
});
const body = {
  name: "body",
  input: [info("i", [], 7), info("c", [], 9), info("h", [2, 4])],
  output: [info("c2", [], 9), info("h2", [2, 4]), info("s", [2, 4])],
  node: [node("Identity", "c", "c2"), node("MatMul", "h w", "h2"), node("Tanh", "h2", "s")],
};

export const models = {
  mlp: model(
    "mlp",
    17,
    [info("x", [2, 4])],
    ["y"],
    [floats("a.weight", 4, 6), floats("a.bias", 6), floats("b.weight", 6, 3)],
    [node("Gemm", "x a.weight a.bias", "h"), node("Relu", "h", "r"), node("MatMul", "r b.weight", "y")],
  ),
  conv: model(
    "conv",
    17,
    [info("x", [1, 2, 6, 6])],
    ["y"],
    [floats("k.weight", 4, 1, 3, 3), floats("k.bias", 4), floats("g", 4), floats("m", 4), floats("v", 4)],
    [
      node("Conv", "x k.weight k.bias", "c", { group: 2, strides: [1, 1], pads: [1, 1, 1, 1], dilations: [1, 1] }),
      node("BatchNormalization", "c g k.bias m g", "n"),
      node("MaxPool", "n", "p", { kernel_shape: [2, 2], strides: [2, 2] }),
      node("AveragePool", "p", "q", { kernel_shape: [3, 3] }),
      node("Flatten", "q", "y"),
    ],
  ),
  attention: model(
    "attention",
    17,
    [info("x", ["batch", 3, 8])],
    ["y"],
    [
      floats("q.weight", 8, 8),
      floats("k.weight", 8, 8),
      floats("n.weight", 8),
      floats("n.bias", 8),
      ints("heads", 0, 0, 2, 4),
      floats("mask", 1, 1, 3, 3),
    ],
    [
      node("LayerNormalization", "x n.weight n.bias", "n", { axis: -1, epsilon: { float: 1e-5 } }),
      node("MatMul", "n q.weight", "q"),
      node("MatMul", "n k.weight", "k"),
      node("Reshape", "q heads", "q4"),
      node("Reshape", "k heads", "k4"),
      node("Transpose", "q4", "qh", { perm: [0, 2, 1, 3] }),
      node("Transpose", "k4", "kh", { perm: [0, 2, 3, 1] }),
      node("MatMul", "qh kh", "s"),
      node("Add", "s mask", "sm"),
      node("Softmax", "sm", "p", { axis: -1 }),
      node("MatMul", "p qh", "y"),
    ],
  ),
  shapes: model(
    "shapes",
    17,
    [info("x", [2, "n", 4])],
    ["y", "z"],
    [ints("one", 1), ints("two", 2), ints("zero", 0), ints("big", 2, 1, 4)],
    [
      node("Shape", "x", "s"),
      node("Gather", "s one", "n", { axis: 0 }),
      node("Concat", "n two", "t", { axis: 0 }),
      node("ConstantOfShape", "t", "k", { value: { name: "v", dims: [1], dataType: 1, floatData: [2] } }),
      node("Slice", "x zero two one one", "sl"),
      node("Unsqueeze", "sl zero", "u"),
      node("Expand", "u big", "e"),
      node("Tile", "k two_two", "tk"),
      node("Split", "e", "y e2", { axis: -1 }),
      node("Pad", "x pads", "z"),
      node("Constant", "_", "two_two", { value: ints("", 2, 2) }),
      node("Constant", "_", "pads", { value: ints("", 0, 1, 0, 0, 1, 0) }),
    ].map((each) => (each.opType === "Constant" ? { ...each, input: [] } : each)),
  ),
  control: model(
    "control",
    17,
    [info("x", [2, 4])],
    ["y", "l", "ls"],
    [floats("w", 4, 4), flag("yes", 1), { name: "trip", dims: [], dataType: 7, int64Data: [3] }],
    [
      node("If", "yes", "b", { then_branch: branch("t", "Neg"), else_branch: branch("e", "Exp") }),
      node("Sigmoid", "b", "y"),
      node("Loop", "trip yes x", "l ls", { body }),
    ],
  ),
  recurrent: model(
    "recurrent",
    17,
    [info("x", [3, 1, 4])],
    ["y", "g"],
    [
      floats("l.w", 1, 8, 4),
      floats("l.r", 1, 8, 2),
      floats("l.b", 1, 16),
      floats("g.w", 1, 6, 4),
      floats("g.r", 1, 6, 2),
      floats("g.b", 1, 12),
    ],
    [
      node("LSTM", "x l.w l.r l.b", "y", { hidden_size: 2 }),
      node("GRU", "x g.w g.r g.b", "g", { hidden_size: 2, linear_before_reset: 1 }),
    ],
  ),
  tables: model(
    "tables",
    17,
    [info("ids", [1, 3], 7), info("x", [1, 3, 4])],
    ["y", "t", "o"],
    [floats("embed.weight", 8, 4), ints("k", 2), ints("depth", 4), floats("on", 2), ints("ax", -1)],
    [
      node("Gather", "embed.weight ids", "e"),
      node("Add", "e x", "a"),
      node("ReduceMean", "a", "m", { axes: [-1], keepdims: 1 }),
      node("Sub", "a m", "d"),
      node("Pow", "d d2", "y"),
      node("TopK", "x k", "t ti", { axis: -1 }),
      node("OneHot", "ids depth on", "o", { axis: -1 }),
      { opType: "Constant", name: "c", output: ["d2"], attribute: [attribute(["value_float", { float: 2 }])] },
    ],
  ),
  contrib: model(
    "contrib",
    20,
    [info("x", [1, 4, 8])],
    ["y"],
    [floats("g.weight", 8), floats("b.bias", 8), floats("s", 3), floats("r", 2)],
    [
      { ...node("SkipLayerNormalization", "x x g.weight b.bias", "n"), domain: "com.microsoft" },
      { ...node("FastGelu", "n b.bias", "f"), domain: "com.microsoft" },
      node("Gelu", "f", "g"),
      node("Clip", "g", "c"),
      node("CumSum", "c axis", "cs"),
      node("Trilu", "cs", "tr"),
      node("Where", "cond tr c", "y"),
      { opType: "Constant", name: "k", output: ["axis"], attribute: [attribute(["value_int", 1])] },
      { opType: "Constant", name: "q", output: ["cond"], attribute: [attribute(["value", flag("", 1)])] },
    ],
  ),
};

const microsoft = (each) => ({ ...each, domain: "com.microsoft" });
Object.assign(models, {
  fused: model(
    "fused",
    20,
    [info("x", [1, 3, 16]), info("mask", [1, 3], 6)],
    ["y", "ga", "ma", "at", "em"],
    [
      floats("cos", 8, 4),
      floats("sin", 8, 4),
      floats("w", 16, 48),
      floats("b", 48),
      floats("t", 4, 16),
      floats("g", 16),
      { name: "last", dims: [1], dataType: 6, int32Data: [2] },
      { name: "all", dims: [], dataType: 6, int32Data: [3] },
      { name: "first", dims: [1], dataType: 7, int64Data: [0] },
    ],
    [
      node("GroupQueryAttention", "x x x _ _ last all cos sin", "ga k v", {
        num_heads: 2,
        kv_num_heads: 2,
        do_rotary: 1,
        local_window_size: 2,
      }),
      node("MultiHeadAttention", "x x x b mask", "ma", { num_heads: 4, unidirectional: 1 }),
      node("Attention", "x w b mask", "at", { num_heads: 2, qkv_hidden_sizes: [16, 16, 16] }),
      node("EmbedLayerNormalization", "mask _ t t _ g g mask", "em n", { epsilon: { float: 0.1 } }),
      node("RotaryEmbedding", "x first cos sin", "r", { interleaved: 1 }),
      node("FusedMatMul", "r x", "m", { transB: 1, alpha: { float: 0.5 } }),
      node("SkipSimplifiedLayerNormalization", "x x g", "s"),
      node("FusedMatMul", "m s", "p"),
      node("QuickGelu", "p", "y"),
    ].map(microsoft),
  ),
  quantised: model(
    "quantised",
    21,
    [info("x", [2, 32]), info("ids", [2], 7)],
    ["y", "z"],
    [
      bytes("up.weight_Q4", 2, 4, 2, 8),
      floats("up.scales", 8),
      bytes("up.points", 2, 4),
      bytes("down.weight_quantized", 3, 4, 6),
      floats("down.scale", 6),
      bytes("down.point", 3, 6),
      floats("last.weight", 6, 4),
      floats("last.scale", 3, 4),
      bytes("last.point", 3, 3, 4),
      bytes("rows", 2, 5, 16),
      floats("rows.scale", 5, 2),
    ],
    [
      microsoft(
        node("MatMulNBits", "x up.weight_Q4 up.scales up.points", "u", { K: 32, N: 4, bits: 4, block_size: 16 }),
      ),
      node("DequantizeLinear", "down.weight_quantized down.scale down.point", "d", { axis: 1 }),
      node("MatMul", "u d", "m"),
      node("QuantizeLinear", "last.weight last.scale last.point", "q", { axis: 0, block_size: 2 }),
      node("DequantizeLinear", "q last.scale last.point", "l", { axis: 0, block_size: 2 }),
      node("MatMul", "m l", "y"),
      microsoft(node("GatherBlockQuantized", "rows ids rows.scale", "z", { block_size: 16, bits: 4 })),
    ],
  ),
});

const bytesOf = (list) => new Uint8Array(Float32Array.from(list).buffer);
const half = (name, rows, columns) => ({
  name: `base_model.model.model.layers.0.${name}.weight`,
  dtype: "float32",
  shape: [rows, columns],
  bytes: bytesOf(values(rows * columns)),
});
export const safetensors = writeSafetensors(
  [half("q_proj.lora_A", 2, 4), half("q_proj.lora_B", 6, 2)],
  new Map([["format", "pt"]]),
);
export const adapterConfig = text(
  JSON.stringify({
    peft_type: "LORA",
    r: 2,
    lora_alpha: 4,
    target_modules: ["q_proj"],
    rank_pattern: { q_proj: 2 },
    layers_to_transform: [0],
  }),
);
const adapterFile = fileURLToPath(new URL("../../fixtures/nets/lora.onnx_adapter", import.meta.url));
/** An adapter of ONNX Runtime's; none where the fixtures are not. */
export const onnxAdapters = existsSync(adapterFile) ? [readFileSync(adapterFile)] : [];
const array = { dtype: "float32", tensor: { shape: [2, 3], data: Float64Array.of(1, 2, 3, 4, 5, 6) } };
const tensorProto = onnx.TensorProto.encode(onnx.TensorProto.create(floats("x", 2, 2))).finish();
export const inputs = {
  ".npy": writeNpy(array),
  ".npz": writeNpz(
    new Map([
      ["x", array],
      ["y", array],
    ]),
  ),
  ".pb": tensorProto,
  ".json": text('{"x": [[1, 2], [3, 4.5]], "y": {"dtype": "int64", "shape": [2], "data": [1, 2]}}'),
};

/** The fixtures' models: larger, so drawn less often. */
export const fixtures = ["base-dy18", "base-ts17-seq", "base-ts17"].flatMap((name) => {
  const file = fileURLToPath(new URL(`../../fixtures/date-llama/${name}.onnx`, import.meta.url));
  return existsSync(file) ? [readFileSync(file)] : [];
});
