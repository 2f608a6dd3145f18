import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe } from "vitest";
import { checkWritten, type Written, type WrittenWeight } from "./written.ts";

const dir = mkdtempSync(join(tmpdir(), "marillc-pooling-"));
afterAll(() => rmSync(dir, { recursive: true }));

const [batch, length, width] = [2, 8, 6];

/** Sequences of different lengths, padded on the right; every length from 1 on occurs. */
const maskOf =
  (positions: number) =>
  (seed: number): readonly number[] =>
    Array.from({ length: batch * positions }, (_, at) => {
      const sequence = Math.floor(at / positions);
      return Number(at % positions < 1 + ((seed * 3 + sequence * 5) % positions));
    });

const ints = (...values: readonly number[]): WrittenWeight => ({ shape: [values.length], values, dtype: "int64" });

/** h = tanh(x·w), and what is made of it and the mask m. */
const pooled = (nodes: Written["nodes"], more: Partial<Written> = {}, positions = length): Written => ({
  inputs: {
    x: { shape: [batch, positions, 5], most: 1.5 },
    m: { shape: [batch, positions], dtype: "int64", draw: maskOf(positions) },
  },
  weights: { w: { shape: [5, width] }, one: ints(1), last: ints(-1) },
  nodes: [["MatMul", ["x", "w"], "a"], ["Tanh", ["a"], "h"], ...nodes],
  ops: { reciprocal: 0 },
  ...more,
});

/** The mask as numbers, with an axis behind it, and Σ h·m, Σ m over the positions. */
const sums: Written["nodes"] = [
  ["Cast", ["m"], "f", { to: 1 }],
  ["Unsqueeze", ["f", "last"], "u"],
  ["Mul", ["h", "u"], "hm"],
  ["ReduceSum", ["hm", "one"], "top", { keepdims: 0 }],
  ["ReduceSum", ["u", "one"], "count", { keepdims: 0 }],
];
/** The same with the mask repeated to the shape of h, as sentence-transformers writes it. */
const repeatedSums: Written["nodes"] = [
  ["Unsqueeze", ["m", "last"], "v"],
  ["Shape", ["h"], "shape"],
  ["Expand", ["v", "shape"], "e"],
  ["Cast", ["e"], "u", { to: 1 }],
  ["Mul", ["h", "u"], "hm"],
  ["ReduceSum", ["hm", "one"], "top", { keepdims: 0 }],
  ["ReduceSum", ["u", "one"], "count", { keepdims: 0 }],
];
const least: Written["nodes"] = [
  ["Constant", [], "eps", { value_float: { float: 1e-9 } }],
  ["Clip", ["count", "eps"], "some"],
];
/** As torch's F.normalize: y / max(‖y‖, 1e-12). */
const normalised: Written["nodes"] = [
  ["ReduceL2", ["mean"], "norm", { axes: [1], keepdims: 1 }],
  ["Constant", [], "tiny", { value_float: { float: 1e-12 } }],
  ["Clip", ["norm", "tiny"], "bounded"],
  ["Shape", ["mean"], "to"],
  ["Expand", ["bounded", "to"], "full"],
  ["Div", ["mean", "full"], "y"],
];
const mean = (divisor: string, y = "y"): Written["nodes"] => [["Div", ["top", divisor], y]];

describe("the mean under a mask of the client", () => {
  checkWritten(dir, {
    "over the count": pooled([...sums, ...mean("count")], { relative: 1 / 256 }),
    "with clamp": pooled([...sums, ...least, ...mean("some")], { relative: 1 / 256 }),
    "mask repeated, with clamp": pooled([...repeatedSums, ...least, ...mean("some")], { relative: 1 / 256 }),
    "as a product with the inverse": pooled(
      [...sums, ["Reciprocal", ["count"], "inverse"], ["Mul", ["inverse", "top"], "y"]],
      { relative: 1 / 256 },
    ),
    "over the root of the count": pooled([...sums, ["Sqrt", ["count"], "root"], ...mean("root")], {
      ops: { reciprocal: 0, rsqrt: 0 },
      relative: 1 / 256,
    }),
    "of 96 positions": pooled([...sums, ...mean("count")], { relative: 1 / 256 }, 96),
    "then normalised": pooled([...repeatedSums, ...least, ...mean("some", "mean"), ...normalised], {
      // One inverse root for ‖y‖ and its bound.
      ops: { reciprocal: 0, rsqrt: 1 },
      relative: 1 / 64,
    }),
    "under a public mask": pooled([...sums, ...least, ...mean("some")], {
      options: { inputs: { m: "public" } },
      relative: 1 / 256,
    }),
  });
});
