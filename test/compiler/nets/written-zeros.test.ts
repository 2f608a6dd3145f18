import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe } from "vitest";
import { checkWritten, type Written } from "./written.ts";

const dir = mkdtempSync(join(tmpdir(), "marillc-zeros-"));
afterAll(() => rmSync(dir, { recursive: true }));

/** z = a − a for the secret a = x·w: its range is [0, 0]. */
const beside = (nodes: Written["nodes"]): Written => ({
  inputs: { x: { shape: [2, 6] } },
  weights: { w: { shape: [6, 4] }, v: { shape: [4, 4] }, gain: { shape: [4] } },
  nodes: [["MatMul", ["x", "w"], "a"], ["Sub", ["a", "a"], "z"], ...nodes],
});

describe("values whose range is zero", () => {
  checkWritten(dir, {
    "as the output": { ...beside([["Identity", ["z"], "y"]]), relative: 0 },
    "behind a layer": beside([
      ["MatMul", ["z", "v"], "r"],
      ["Add", ["r", "a"], "y"],
    ]),
    "of a relu": beside([
      ["Relu", ["z"], "r"],
      ["Add", ["r", "a"], "y"],
    ]),
    "of an exponential": beside([["Exp", ["z"], "y"]]),
    "of a softmax": beside([["Softmax", ["z"], "y"]]),
    // Rounding is all that there is to normalise.
    "of a norm": {
      ...beside([
        ["LayerNormalization", ["z", "gain"], "r"],
        ["Add", ["r", "a"], "y"],
      ]),
      relative: 1 / 2,
    },
    "in a product of secrets": beside([
      ["Mul", ["z", "a"], "r"],
      ["Add", ["r", "a"], "y"],
    ]),
  });
});

const lora = (rank: number): Written => ({
  inputs: { x: { shape: [2, 6] } },
  weights: {
    w: { shape: [6, 4] },
    down: { shape: [6, rank] },
    up: { shape: [rank, 4], values: Array(4 * rank).fill(0) },
  },
  nodes: [
    ["MatMul", ["x", "w"], "a"],
    ["MatMul", ["x", "down"], "low"],
    ["MatMul", ["low", "up"], "change"],
    ["Add", ["a", "change"], "y"],
  ],
});

describe("adapters that change nothing", () => {
  checkWritten(dir, { "B of zeros": lora(2), "rank 0": lora(0) });
});
