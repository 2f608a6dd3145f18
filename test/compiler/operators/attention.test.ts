import { describe, expect, it } from "vitest";
import { tensor } from "../../../ir/tensor.ts";
import { sizeOf } from "../../../ir/type.ts";
import { numbers } from "../../end-to-end/tiny-model.ts";
import { runImported, worst } from "../onnx/import/recorded.ts";
import { agreesWithRuntime, type Case, type In, imported, ints, of } from "./one-node.ts";

const [batch, heads, rows, columns, depth] = [2, 4, 3, 5, 6];
const q = of(batch, heads, rows, depth);
const keys = (groups: number, width = depth): In => of(batch, groups, columns, width);
const none = undefined;
const real = (float: number) => ({ float });

/** Row 0 has no score at all. */
const gappy: In = {
  shape: [rows, columns],
  values: [0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 1, 1, 1, 1, 1],
  dtype: "bool",
  known: true,
};

const cases: readonly Case[] = [
  { op: "Attention", inputs: [q, keys(4), keys(4)], attrs: { softcap: real(0.75) }, opset: 23 },
  { op: "Attention", inputs: [q, keys(2), keys(2, 3)], attrs: { softcap: real(1.5), is_causal: 1 }, opset: 23 },
  ...[0, 1, 2, 3].map(
    (mode): Case => ({
      op: "Attention",
      inputs: [q, keys(4), keys(4), of(rows, columns)],
      attrs: { qk_matmul_output_mode: mode },
      outputs: [true, false, false, true],
      opset: 23,
    }),
  ),
  {
    op: "Attention",
    inputs: [q, keys(4), keys(4), none, of(batch, heads, 2, depth), of(batch, heads, 2, depth)],
    attrs: { softcap: real(2), is_causal: 1 },
    outputs: [true, true, true],
    opset: 23,
  },
  { op: "Attention", inputs: [q, keys(4), keys(4), gappy], opset: 23 },
  { op: "Attention", inputs: [q, keys(4), keys(4), none, none, none, ints(2, 5)], opset: 24 },
  { op: "Attention", inputs: [q, keys(4), keys(4), none, none, none, ints(1, 4)], attrs: { is_causal: 1 }, opset: 24 },
];
const flat = of(batch, rows, heads * depth);
const flatKeys = (groups: number): In => of(batch, columns, groups * depth);
const counts = { q_num_heads: heads, kv_num_heads: 2 };
const truth = (shape: readonly number[], values: readonly number[]): In => ({ shape, values, dtype: "bool" });
const half = [1, 0, 1, 1, 0, 1, 1, 0, 0, 1, 1, 1, 1, 1, 0];
const masked: readonly Case[] = [
  { op: "Attention", inputs: [flat, flatKeys(2), flatKeys(2)], attrs: { ...counts, scale: real(0.3) }, opset: 23 },
  { op: "Attention", inputs: [flat, flatKeys(2), flatKeys(2)], attrs: { ...counts, is_causal: 1 }, opset: 23 },
  { op: "Attention", inputs: [q, keys(2), keys(2), truth([rows, columns], half)], opset: 23 },
  { op: "Attention", inputs: [q, keys(4), keys(4), truth([batch, 1, rows, columns], [...half, ...half])], opset: 23 },
  { op: "Attention", inputs: [q, keys(4), keys(4), of(batch, heads, rows, columns)], opset: 23 },
  {
    op: "Attention",
    inputs: [q, keys(4), keys(4), of(1, heads, rows, columns)],
    attrs: { softcap: real(1) },
    opset: 23,
  },
];
describe("Attention with three axes and masks", () => agreesWithRuntime(masked));

it("masks keys without a column in a mask of opset 24", () => {
  const short: In = { shape: [rows, 3], values: numbers(rows * 3, 9, 2), known: true };
  const padded = Array.from({ length: rows * columns }, (_, at) =>
    at % columns < 3 ? short.values![Math.floor(at / columns) * 3 + (at % columns)]! : -1e4,
  );
  const long: In = { shape: [rows, columns], values: padded, known: true };
  const given = new Map(
    [q, keys(2), keys(2)].map(({ shape }, at) => [
      `onnx::Attention_${at}`,
      tensor(shape, numbers(sizeOf(shape), at + 1, 2)),
    ]),
  );
  const result = (mask: In) =>
    runImported(imported({ op: "Attention", inputs: [q, keys(2), keys(2), mask], opset: 24 }), given).get("y0")!;
  expect(worst(result(short), result(long))).toBeLessThan(1e-12);
});

const rotary = (inputs: readonly In[], attrs: Case["attrs"] = {}): Case => ({
  op: "RotaryEmbedding",
  inputs,
  attrs,
  opset: 23,
});
const places: In = { shape: [batch, rows], values: [0, 1, 2, 6, 3, 7], dtype: "int64", known: true };
const turned: readonly Case[] = [
  rotary([q, of(8, 3), of(8, 3), places]),
  rotary([flat, of(8, 3), of(8, 3), places], { num_heads: heads, interleaved: 1 }),
  rotary([q, of(8, 2), of(8, 2), places], { rotary_embedding_dim: 4 }),
  rotary([q, of(batch, rows, 3), of(batch, rows, 3)]),
];
describe("RotaryEmbedding", () => agreesWithRuntime(turned));

it.each([1, 0.75])("Swish and SwiGLU with alpha %d match their definition", (alpha) => {
  const [x, b] = [tensor([2, 3], numbers(6, 3, 2)), tensor([2, 3], numbers(6, 4, 2))];
  const swish = x.data.map((value) => value / (1 + Math.exp(-alpha * value)));
  const attrs = { alpha: real(alpha) };
  const one = imported({ op: "Swish", inputs: [of(2, 3)], attrs, opset: 24 });
  const found = runImported(one, new Map([["onnx::Swish_0", x]])).get("y0")!;
  expect(worst(found, tensor([2, 3], swish))).toBeLessThan(1e-7);
  const two = imported({ op: "SwiGLU", inputs: [of(2, 3), of(2, 3)], attrs, opset: 28 });
  const gated = runImported(two, new Map(Object.entries({ "onnx::SwiGLU_0": x, "onnx::SwiGLU_1": b }))).get("y0")!;
  expect(
    worst(
      gated,
      tensor(
        [2, 3],
        swish.map((value, at) => value * b.data[at]!),
      ),
    ),
  ).toBeLessThan(1e-7);
});

describe("Attention", () => agreesWithRuntime(cases));
