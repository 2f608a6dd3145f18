import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe } from "vitest";
import { checkWritten, type Written } from "./written.ts";

const dir = mkdtempSync(join(tmpdir(), "marillc-written-"));
afterAll(() => rmSync(dir, { recursive: true }));

/** Scores a = x·w of [2, 3, 4], and what is made of them. */
const scores = (nodes: Written["nodes"], more: Partial<Written> = {}): Written => ({
  inputs: { x: { shape: [2, 3, 6], most: 3 } },
  weights: { w: { shape: [6, 4] } },
  nodes: [["MatMul", ["x", "w"], "a"], ...nodes],
  ...more,
});

/** e^(a − max a) and its sum over an axis. */
const shifted = (axis: number): Written["nodes"] => [
  ["ReduceMax", ["a"], "m", { axes: [axis], keepdims: 1 }],
  ["Sub", ["a", "m"], "z"],
  ["Exp", ["z"], "e"],
  ["ReduceSum", ["e", "axes"], "s", { keepdims: 1 }],
];
const axes = (axis: number): Written["weights"] => ({
  w: { shape: [6, 4] },
  axes: { shape: [1], values: [axis], dtype: "int64" },
});

const softmaxOf = (axis: number, ...ops: readonly string[]): Written =>
  scores([...shifted(axis), ...(ops.length > 0 ? inverted : [["Div", ["e", "s"], "y"] as const])], {
    weights: axes(axis),
    ops: { softmax: 1, exp: 0 },
  });
const inverted: Written["nodes"] = [
  ["Reciprocal", ["s"], "i"],
  ["Mul", ["i", "e"], "y"],
];

describe("softmaxes and log-sum-exps as programs write them", () => {
  checkWritten(dir, {
    "softmax over axis 0": softmaxOf(0),
    "softmax over axis 1": softmaxOf(1),
    "softmax over axis 2, by the inverse": softmaxOf(2, "Reciprocal", "Mul"),
    "softmax over two axes": scores(
      [
        ["ReduceMax", ["a"], "m", { axes: [1, 2], keepdims: 1 }],
        ["Sub", ["a", "m"], "z"],
        ["Exp", ["z"], "e"],
        ["ReduceSum", ["e", "axes"], "s", { keepdims: 1 }],
        ["Div", ["e", "s"], "y"],
      ],
      { weights: { w: { shape: [6, 4] }, axes: { shape: [2], values: [1, 2], dtype: "int64" } }, ops: { exp: 1 } },
    ),
    "ln Σ e^a without the maximum": scores(
      [
        ["Exp", ["a"], "e"],
        ["ReduceSum", ["e", "axes"], "s", { keepdims: 0 }],
        ["Log", ["s"], "y"],
      ],
      { weights: axes(1), ops: { "reduce-max": 1 } },
    ),
    "ReduceLogSumExp over two axes": scores([["ReduceLogSumExp", ["a"], "y", { axes: [0, 2], keepdims: 0 }]]),
    "ln(1 + e^a)": scores(
      [
        ["Exp", ["a"], "e"],
        ["Add", ["one", "e"], "s"],
        ["Log", ["s"], "y"],
      ],
      { weights: { w: { shape: [6, 4] }, one: { shape: [], values: [1] } }, options: { private: ["*.weight"] } },
    ),
  });
});

describe("exponentials that a maximum bounds", () => {
  checkWritten(dir, {
    "e^x alone, measured below 0": scores(
      [
        ["Abs", ["a"], "b"],
        ["Mul", ["b", "minus"], "c"],
        ["Exp", ["c"], "y"],
      ],
      { weights: { w: { shape: [6, 4] }, minus: { shape: [1], values: [-0.5] } } },
    ),
    "e^x of a layer with a bias far below 0": scores(
      [
        ["Add", ["a", "bias"], "c"],
        ["Exp", ["c"], "y"],
      ],
      {
        inputs: { x: { shape: [2, 3, 6], most: 1 } },
        weights: { w: { shape: [6, 4] }, bias: { shape: [4], values: [-4, -3.5, -4.5, -4] } },
      },
    ),
    "log-softmax in primitives": scores([...shifted(2), ["Log", ["s"], "l"], ["Sub", ["z", "l"], "y"]], {
      weights: axes(2),
    }),
    "e^(x − max x), read twice": scores([...shifted(1), ["Div", ["e", "s"], "p"], ["Add", ["p", "e"], "y"]], {
      weights: axes(1),
    }),
  });
});
