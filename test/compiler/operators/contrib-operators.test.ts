import { describe, expect, it } from "vitest";
import { evaluateOp } from "../../../ir/interpret.ts";
import type { Tensor } from "../../../ir/tensor.ts";
import { codesOf } from "../onnx/format/build-model.ts";
import { worst } from "../onnx/import/recorded.ts";
import { type Attribute, agreesWithRuntime, type Case, drawn, type In, imported, of, resultOf } from "./one-node.ts";

const domain = "com.microsoft";
const none = undefined;
const real = (float: number): Attribute => ({ float });
const whole = (shape: readonly number[], values: readonly number[], known: boolean): In => ({
  shape,
  values,
  dtype: "int32",
  ...(known && { known: true }),
});
const lengths = (...values: number[]): In => whole([values.length], values, true);
const positions = (shape: readonly number[], values: readonly number[]): In => ({
  shape,
  values,
  dtype: "int64",
  known: true,
});

/** Heads, new positions, width of a head. */
const [heads, rows, depth] = [4, 3, 16];

const batch = 2;
const wide = of(batch, rows, heads * depth);
const keys = 5;
const long = of(batch, keys, heads * depth);

function multiHead(inputs: readonly (In | undefined)[], attrs: Readonly<Record<string, Attribute>> = {}): Case {
  return { op: "MultiHeadAttention", domain, inputs, attrs: { num_heads: heads, ...attrs } };
}
const kept: In = whole([batch, keys], [1, 1, 1, 0, 0, 1, 1, 1, 1, 0], false);

const multi: readonly Case[] = [
  multiHead([wide, wide, wide]),
  multiHead([wide, long, long], { scale: real(0.2) }),
  multiHead([wide, long, long, of(3 * heads * depth)]),
  multiHead([wide, of(batch, heads, keys, depth), of(batch, heads, keys, depth)]),
  multiHead([wide, long, of(batch, keys, heads * 3), none, kept]),
  multiHead([wide, long, long, none, { ...kept, known: true }]),
  multiHead([wide, wide, wide], { unidirectional: 1 }),
  multiHead([wide, long, long, none, none, of(1, heads, rows, keys)]),
  {
    ...multiHead([wide, wide, wide, none, none, none, of(batch, heads, 2, depth), of(batch, heads, 2, depth)], {
      unidirectional: 1,
    }),
    outputs: [true, true, true],
  },
];
describe("MultiHeadAttention", () => agreesWithRuntime(multi));

it("MultiHeadAttention accepts packed heads, which the runtime's CPU kernels do not", () => {
  const apart = [1, 2, 3].map((seed) => drawn([batch, keys, heads * depth], seed));
  const named = new Map(apart.map((each, at) => [at, each]));
  const wanted = resultOf(multiHead([long, long, long]), named);
  const packed = (parts: readonly Tensor[]): Tensor => {
    const split = parts.map((each) => ({ shape: [batch, keys, heads, 1, depth], data: each.data }));
    return evaluateOp("concat", split, { axis: 3 });
  };
  const all = resultOf(multiHead([of(batch, keys, heads, 3, depth)]), new Map([[0, packed(apart)]]));
  const some = new Map([
    [0, apart[0]!],
    [1, packed(apart.slice(1))],
  ]);
  const pair = resultOf(multiHead([long, of(batch, keys, heads, 2, depth)]), some);
  for (const found of [all, pair]) expect(worst(found, wanted)).toBeLessThan(1e-9);
});

const inner = 8;
function single(inputs: readonly (In | undefined)[], attrs: Readonly<Record<string, Attribute>> = {}): Case {
  return { op: "Attention", domain, inputs, attrs: { num_heads: 2, ...attrs } };
}
const plain = [of(batch, rows, 6), of(6, 3 * inner), of(3 * inner)];
const attention: readonly Case[] = [
  single(plain),
  // Without a bias the runtime's kernel crashes the process.
  single(plain, { scale: real(0.4) }),
  single([of(batch, rows, 6), of(6, 8 + 8 + 4), of(20)], { qkv_hidden_sizes: [8, 8, 4] }),
  single(plain, { unidirectional: 1 }),
  single([...plain, whole([batch, rows], [1, 1, 0, 1, 0, 0], false)]),
  single([...plain, lengths(3, 1)]),
  single([...plain, whole([batch, rows, rows], [1, 0, 0, 1, 1, 0, 1, 0, 1, 0, 1, 0, 1, 1, 1, 1, 1, 0], false)]),
  single([...plain, none, none, of(1, 2, rows, rows)]),
  { ...single([...plain, none, of(2, batch, 2, 4, 4)], { unidirectional: 1 }), outputs: [true, true] },
];
describe("Attention of com.microsoft", () => agreesWithRuntime(attention));

const skipped = (op: string, inputs: readonly (In | undefined)[], outputs: readonly boolean[] = [true]): Case => ({
  op,
  domain,
  inputs,
  outputs,
  attrs: { epsilon: real(0.01) },
});
const norms: readonly Case[] = [
  skipped("SkipLayerNormalization", [of(2, 3, 4), of(2, 3, 4), of(4), of(4)]),
  skipped("SkipLayerNormalization", [of(2, 3, 4), of(2, 3, 4), of(4)]),
  skipped("SkipLayerNormalization", [of(2, 3, 4), of(3, 4), of(4), of(4), of(4)], [true, false, false, true]),
  skipped("SkipSimplifiedLayerNormalization", [of(2, 3, 4), of(2, 3, 4), of(4)], [true, false, false, true]),
  skipped("SkipSimplifiedLayerNormalization", [of(2, 3, 4), of(1, 3, 4), of(4), of(4)]),
  { op: "SimplifiedLayerNormalization", inputs: [of(2, 3, 4), of(4)], attrs: { axis: -1, epsilon: real(0.01) } },
  { op: "RMSNormalization", inputs: [of(2, 3, 4), of(3, 4)], attrs: { axis: 1, epsilon: real(0.01) }, opset: 23 },
  ...["Gelu", "FastGelu", "QuickGelu"].map((op): Case => ({ op, domain, inputs: [of(2, 3, 4)] })),
  { op: "BiasGelu", domain, inputs: [of(2, 3, 4), of(4)] },
  { op: "FastGelu", domain, inputs: [of(2, 3, 4), of(4)] },
  { op: "QuickGelu", domain, inputs: [of(2, 3, 4)], attrs: { alpha: real(1.25) } },
];
describe("norms and activations of com.microsoft", () => agreesWithRuntime(norms));

const turned = (inputs: readonly In[], attrs: Readonly<Record<string, Attribute>> = {}): Case => ({
  op: "RotaryEmbedding",
  domain,
  inputs,
  attrs,
});
const [cos, sin] = [of(16, depth / 2), of(16, depth / 2)];
const rotary: readonly Case[] = [
  turned([wide, positions([1], [3]), cos, sin]),
  turned([wide, positions([2, rows], [0, 1, 2, 7, 3, 9]), cos, sin], { interleaved: 1 }),
  turned([of(batch, heads, rows, depth), positions([1], [0]), cos, sin]),
  turned([wide, positions([1], [1]), of(16, 4), of(16, 4)], { num_heads: heads, rotary_embedding_dim: 8 }),
];
describe("RotaryEmbedding of com.microsoft", () => agreesWithRuntime(rotary));

const product = (a: In, b: In, attrs: Readonly<Record<string, Attribute>>): Case => ({
  op: "FusedMatMul",
  domain,
  inputs: [a, b],
  attrs,
});
const products: readonly Case[] = [
  product(of(3, 4), of(4, 5), { alpha: real(0.25) }),
  product(of(2, 4, 3), of(2, 5, 4), { transA: 1, transB: 1 }),
  product(of(3, 2, 4), of(2, 4, 5), { transBatchA: 1 }),
  product(of(4, 2, 3), of(5, 2, 4), { transA: 1, transBatchA: 1, transB: 1, transBatchB: 1 }),
];
describe("FusedMatMul", () => agreesWithRuntime(products));

const ids = (...values: number[]): In => whole([2, 3], values, false);
const tables = [of(9, 8), of(6, 8), of(2, 8), of(8), of(8)] as const;
const [words, places, segments, gamma, beta] = tables;
const embeddings: readonly Case[] = [
  { inputs: [ids(1, 8, 3, 0, 2, 2), ids(0, 0, 1, 1, 0, 1), words, places, segments, gamma, beta] },
  {
    inputs: [ids(1, 8, 3, 0, 2, 2), none, words, places, none, gamma, beta, ids(1, 1, 0, 1, 1, 1)],
    attrs: { epsilon: real(0.01), mask_index_type: 1 },
    outputs: [true, true, true],
  },
  { inputs: [ids(1, 8, 3, 0, 2, 2), none, words, places, none, gamma, beta, none, ids(5, 4, 3, 2, 1, 0)] },
].map((each): Case => ({ op: "EmbedLayerNormalization", domain, outputs: [true, true], ...each }));
describe("EmbedLayerNormalization", () => agreesWithRuntime(embeddings));

const image = of(2, 3, 5, 5);
const behind = (op: string, inputs: readonly In[], activation: string, attrs: Case["attrs"] = {}): Case => ({
  op,
  domain,
  inputs,
  attrs: { activation, ...attrs },
});
const fusedConv = (activation: string, ...params: number[]): Case =>
  behind("FusedConv", [image, of(4, 3, 3, 3), of(4)], activation, {
    pads: [1, 1, 1, 1],
    ...(params.length > 0 && { activation_params: { floats: params } }),
  });
const withActivations: readonly Case[] = [
  fusedConv("Relu"),
  fusedConv("Tanh"),
  fusedConv("Sigmoid"),
  fusedConv("LeakyRelu", 0.25),
  fusedConv("Clip", -0.5, 1.5),
  fusedConv("HardSigmoid", 0.3, 0.6),
  behind("FusedConv", [image, of(4, 3, 3, 3), of(4), of(2, 4, 3, 3)], "Relu"),
  behind("FusedGemm", [of(2, 3), of(4, 3), of(4)], "Relu", { transB: 1, alpha: real(0.5) }),
  behind("FusedGemm", [of(2, 3), of(3, 4), of(4)], "LeakyRelu", { activation_alpha: real(0.125) }),
];
describe("products with an activation", () => agreesWithRuntime(withActivations));

describe("attributes that change values in an unsupported way", () => {
  const refused: readonly (readonly [string, Case])[] = [
    ["scores of heads", { ...multiHead([wide, wide, wide]), outputs: [true, false, false, true] }],
    ["rotary positions inside", single(plain, { do_rotary: 1 })],
    ["a shared cache", single(plain, { past_present_share_buffer: 1 })],
    ["a mask of starts and ends", single([...plain, lengths(3, 1, 0, 0)])],
    ["packed batches", turned([wide, positions([1], [3]), cos, sin], { is_packed_batching: 1 })],
    ["another activation", fusedConv("Softsign")],
    ["a scale", turned([wide, positions([1], [3]), cos, sin], { scale: real(2) })],
    ["heads that do not divide the width", multiHead([wide, wide, wide], { num_heads: 5 })],
  ];
  it.each(refused)("%s", (_name, each) => {
    expect(codesOf(() => imported(each))).toEqual(["MRL0404"]);
  });
});
