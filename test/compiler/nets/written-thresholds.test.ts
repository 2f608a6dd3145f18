import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe } from "vitest";
import { numbers } from "../../end-to-end/tiny-model.ts";
import { checkWritten, type Written } from "./written.ts";

const dir = mkdtempSync(join(tmpdir(), "marillc-thresholds-"));
afterAll(() => rmSync(dir, { recursive: true }));

/** Multiples of 1/64: every comparison is exact in fixed point. */
const grid = (count: number, seed: number): readonly number[] =>
  numbers(count, seed, 64).map((x) => Math.round(x) / 64);

const thresholds = (nodes: Written["nodes"]): Written => ({
  inputs: { x: { shape: [5, 6], draw: (seed) => grid(30, seed) } },
  weights: {
    w: { shape: [6], values: grid(6, 71).map((w) => w / 2) },
    v: { shape: [6], values: grid(6, 72).map((v) => 2 + v) },
    lo: { shape: [], values: [-0.25] },
    hi: { shape: [], values: [0.5] },
  },
  nodes,
  relative: 1 / 1024,
});

const compared = (op: string, opset = 17): Written => ({
  ...thresholds([
    [op, ["x", "w"], "c"],
    ["Cast", ["c"], "y", { to: 1 }],
  ]),
  opset,
  relative: 0,
});

describe("thresholds that nobody else learns", () => {
  checkWritten(dir, {
    Less: compared("Less"),
    LessOrEqual: compared("LessOrEqual"),
    Greater: compared("Greater"),
    GreaterOrEqual: compared("GreaterOrEqual"),
    Equal: compared("Equal"),
    Min: thresholds([["Min", ["x", "w"], "y"]]),
    Max: thresholds([["Max", ["w", "x"], "y"]]),
    Clip: thresholds([["Clip", ["x", "lo", "hi"], "y"]]),
    "Where, below": thresholds([
      ["Less", ["x", "w"], "c"],
      ["Where", ["c", "w", "x"], "y"],
    ]),
    "Where, between private numbers": thresholds([
      ["Greater", ["x", "w"], "c"],
      ["Where", ["c", "v", "w"], "y"],
    ]),
  });
});
