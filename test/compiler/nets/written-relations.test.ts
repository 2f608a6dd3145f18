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
