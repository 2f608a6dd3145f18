import { expect, test } from "vitest";
import { interpret } from "../../ir/interpret.ts";
import { tensor } from "../../ir/tensor.ts";
import { split } from "../../passes/1-split/split.ts";
import { rewrite } from "../../passes/2-rewrite/index.ts";
import { calibrate } from "../../passes/4-quantize/calibrate.ts";
import { quantize } from "../../passes/4-quantize/index.ts";
import { model } from "./models.ts";

// At 12 fractional bits, 1.28 is rounded up and 1.2801 down; ±1 selects x or its negative.
test.each([
  [1.28, 1],
  [1.2801, 1],
  [1.28, -1],
  [1.2801, -1],
])("a number that equals its private threshold does not exceed it after rounding: %j", (t, sign) => {
  const whole = model(({ feature, weight, op }) => {
    const w = weight("w", "server", tensor([2, 1], [sign, 0]));
    const beyond = op("sub", [op("matmul", [feature("x", [3, 2]), w]), weight("t", "server", tensor([1], [sign * t]))]);
    const zero = weight("zero", "public", tensor([], [0]));
    return [op("cast", [op("compare", [beyond, zero], { kind: "greater" })], { to: "f32" })];
  });
  const reveal = whole.module.outputs.map((output) => ({ output, to: "client" as const }));
  const state = rewrite(split(whole, { reveal }));
  const x = tensor([3, 2], [t, 0, t + 0.001, 500, t - 0.001, -500]);
  const inputs = new Map(state.module.inputs.map((id) => [id, x]));
  const { module, weights } = quantize(state, { calibration: calibrate(state, [inputs]) });
  const [id] = module.outputs;
  expect([...interpret(module, weights, inputs).get(id!)!.data]).toEqual(sign > 0 ? [0, 1, 0] : [0, 0, 1]);
});
