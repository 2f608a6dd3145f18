import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { onnx as proto } from "onnx-proto";
import { afterAll, expect, it } from "vitest";
import { decodeModel } from "../../../../compiler/onnx/format/decode-model.ts";
import { importModel } from "../../../../compiler/onnx/import/import-model.ts";
import { openOnnxSession } from "../../../../compiler/run/onnx-session.ts";
import { tensor } from "../../../../ir/tensor.ts";
import { numbers } from "../../../end-to-end/tiny-model.ts";
import { codesOf, floatInfo, floatTensor, modelBytes, node } from "../format/build-model.ts";
import { runImported, worst } from "./recorded.ts";

const dir = mkdtempSync(join(tmpdir(), "marillc-convolution-"));
afterAll(() => rmSync(dir, { recursive: true }));

type Value = number | string | readonly number[];
const attribute = ([name, value]: readonly [string, Value]): proto.IAttributeProto => {
  if (typeof value === "number") return { name, type: 2, i: value };
  return typeof value === "string" ? { name, type: 3, s: Buffer.from(value) } : { name, type: 7, ints: [...value] };
};

interface Case {
  readonly op: string;
  readonly x: number[];
  readonly w?: number[];
  readonly attrs: Readonly<Record<string, Value>>;
  readonly opset?: number;
}

const size = (dims: readonly number[]): number => dims.reduce((product, extent) => product * extent, 1);

function modelOf({ op, x, w, attrs, opset = 19 }: Case): Uint8Array {
  const weights = w
    ? [floatTensor("c.weight", w, numbers(size(w), 5, 1)), floatTensor("c.bias", [w[0]!], numbers(w[0]!, 6, 1))]
    : [];
  const graph = {
    name: "one",
    initializer: weights,
    input: [floatInfo("x", ...x)],
    output: [{ ...floatInfo("y"), type: { tensorType: { elemType: 1 } } }],
    node: [
      {
        ...node(op, ["x", ...weights.map(({ name }) => name!)], ["y"]),
        attribute: Object.entries(attrs).map(attribute),
      },
    ],
  };
  return modelBytes(graph, { opsetImport: [{ domain: "", version: opset }] });
}

const cases: readonly Case[] = [
  { op: "Conv", x: [2, 3, 9], w: [4, 3, 3], attrs: { pads: [1, 2], strides: [2] } },
  { op: "Conv", x: [1, 4, 6, 7], w: [6, 2, 3, 2], attrs: { group: 2, dilations: [2, 1], pads: [1, 0, 2, 1] } },
  { op: "Conv", x: [1, 4, 5, 5], w: [8, 1, 3, 3], attrs: { group: 4, auto_pad: "SAME_UPPER", strides: [2, 2] } },
  { op: "Conv", x: [1, 2, 5, 6], w: [3, 2, 2, 4], attrs: { auto_pad: "SAME_LOWER" } },
  { op: "Conv", x: [1, 2, 5, 6], w: [3, 2, 2, 4], attrs: { auto_pad: "VALID" } },
  { op: "Conv", x: [1, 2, 4, 3, 5], w: [2, 2, 2, 3, 2], attrs: { pads: [0, 1, 0, 1, 1, 0] } },
  { op: "MaxPool", x: [1, 2, 7], attrs: { kernel_shape: [3], strides: [2], pads: [1, 1] } },
  { op: "MaxPool", x: [1, 2, 6, 7], attrs: { kernel_shape: [3, 2], strides: [2, 2], ceil_mode: 1 } },
  { op: "MaxPool", x: [1, 1, 8, 8], attrs: { kernel_shape: [2, 3], dilations: [3, 2], pads: [0, 1, 0, 1] } },
  { op: "MaxPool", x: [1, 1, 5, 6], attrs: { kernel_shape: [2, 2], strides: [2, 2], auto_pad: "SAME_UPPER" } },
  { op: "AveragePool", x: [1, 2, 6, 7], attrs: { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] } },
  { op: "AveragePool", x: [1, 2, 6, 7], attrs: { kernel_shape: [3, 3], pads: [1, 1, 1, 1], count_include_pad: 1 } },
  { op: "AveragePool", x: [1, 2, 6, 7], attrs: { kernel_shape: [2, 2], strides: [2, 2], ceil_mode: 1 } },
  {
    op: "AveragePool",
    x: [1, 1, 6, 6],
    attrs: { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 0, 0], ceil_mode: 1, count_include_pad: 1 },
  },
  { op: "AveragePool", x: [1, 1, 8], attrs: { kernel_shape: [2], dilations: [3] } },
  { op: "GlobalAveragePool", x: [2, 3, 4, 5], attrs: {} },
  { op: "GlobalMaxPool", x: [2, 3, 4, 5], attrs: {} },
];

it.each(cases)("$op $attrs of $x equals onnxruntime's", async (each) => {
  const file = join(dir, "one.onnx");
  const bytes = modelOf(each);
  writeFileSync(file, bytes);
  const x = tensor(each.x, numbers(size(each.x), 9, 2));
  const part = await openOnnxSession(file);
  const expected = (await part.run(new Map([["x", { dtype: "float32", tensor: x }]]))).get("y")!.tensor;
  await part.release();
  const found = runImported(importModel(decodeModel(bytes, file)), new Map([["x", x]])).get("y")!;
  expect(worst(found, expected)).toBeLessThan(1e-5);
});

it("refuses attributes without a meaning here", () => {
  const code = (each: Case) => codesOf(() => importModel(decodeModel(modelOf(each), "one.onnx")));
  const pool = { op: "MaxPool", x: [1, 1, 4], attrs: { kernel_shape: [5] } };
  expect(code(pool)).toEqual(["MRL0404"]);
  expect(code({ ...pool, attrs: { kernel_shape: [2, 2] } })).toEqual(["MRL0404"]);
  expect(code({ ...pool, attrs: { kernel_shape: [2], auto_pad: "OTHER" } })).toEqual(["MRL0404"]);
  expect(code({ ...pool, x: [1, 4] })).toEqual(["MRL0404"]);
  expect(code({ ...pool, op: "AveragePool", attrs: {} })).toEqual(["MRL0404"]);
});
