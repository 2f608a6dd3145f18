import { expect, test } from "vitest";
import { interpret } from "../../ir/interpret.ts";
import { split } from "../../passes/1-split/split.ts";
import { rewrite } from "../../passes/2-rewrite/index.ts";
import { evenGrid, singleOpModule } from "../../scripts/tables/single-op-module.ts";
import { block, largestDifference } from "./models.ts";
import { compileForPreset, computeByParties, cutsOf, protocolsOf } from "./run-module.ts";

/** Fractional bits, and the maximum error by truncations and rounded constants in their units, against real numbers. */
const cases: readonly (readonly [
  preset: string,
  operator: string,
  lo: number,
  hi: number,
  bits: number,
  units: number,
])[] = [
  ["puma", "gelu", -6, 6, 18, 64],
  ["puma", "exp", -16, 0, 18, 32],
  ["puma", "reciprocal", 0.1, 100, 18, 100],
  ["puma", "rsqrt", 0.01, 60, 18, 400],
  ["puma", "silu", -12, 12, 18, 64],
  ["puma", "softmax", -4, 4, 18, 16],
  ["puma", "layer-norm", -4, 4, 18, 160],
  ["bumblebee", "gelu", -6, 6, 18, 100],
  ["bumblebee", "exp", -16, 0, 18, 64],
  ["bumblebee", "silu", -12, 12, 18, 2400],
  ["bumblebee", "softmax", -4, 4, 18, 16],
  ["bumblebee", "layer-norm", -4, 4, 18, 160],
  ["sirnn", "exp", -16, 0, 12, 4],
  ["sirnn", "reciprocal", 0.5, 100, 12, 16],
  ["sirnn", "rsqrt", 0.5, 60, 12, 16],
  ["sirnn", "sigmoid", -12, 12, 12, 4],
  ["sirnn", "tanh", -6, 6, 12, 8],
  ["sirnn", "gelu", -6, 6, 12, 32],
  ["sirnn", "softmax", -4, 4, 12, 8],
  ["sirnn", "layer-norm", -4, 4, 12, 32],
];

const settingOf = (preset: string): "2pc-dealer" | "3pc" => (preset === "puma" ? "3pc" : "2pc-dealer");

test.each(cases)("%s: the parties compute %s on [%d, %d] as in real numbers", async (...each) => {
  const [preset, operator, lo, hi, bits, units] = each;
  const shape = ["softmax", "layer-norm"].includes(operator) ? [3, 5] : [15];
  const inputs = new Map([["x", evenGrid(shape, lo, hi)]]);
  const state = singleOpModule(operator, shape, operator === "layer-norm" ? { epsilon: 1e-5 } : {});
  const { written, scheduled } = compileForPreset(preset, settingOf(preset), state, [inputs]);
  if (preset === "puma") {
    expect(protocolsOf(scheduled).filter((name) => !name.startsWith("replicated."))).toEqual([]);
  }
  const found = await computeByParties(settingOf(preset), scheduled, inputs);
  const real = interpret(written.module, written.weights, inputs).get("out")!;
  expect(largestDifference(found, real) * 2 ** bits).toBeLessThan(units);
});

test("SIRNN's digits are exact: with exact truncations, the parties' results equal the interpreter's bit for bit", async () => {
  const inputs = new Map([["x", evenGrid([200], -16, 0)]]);
  const { scheduled } = compileForPreset("sirnn", "2pc-dealer", singleOpModule("exp", [200]), [inputs]);
  expect(protocolsOf(scheduled)).toEqual(expect.arrayContaining(["ottt.lookup", "faithful.truncate"]));
  const found = await computeByParties("2pc-dealer", scheduled, inputs);
  expect(found).toEqual(interpret(scheduled.module, scheduled.weights, inputs).get("out")!);
});

test.each([
  ["puma", 0.001],
  ["bumblebee", 0.001],
  ["sirnn", 0.02],
])("the parties run a transformer block as %s computes it", async (preset, truncations) => {
  const whole = block();
  const reveal = whole.module.outputs.map((output) => ({ output, to: "client" as const }));
  const rewritten = rewrite(split(whole, { reveal }));
  const runs = [1, 2, 3, 4].map((seed) => cutsOf(whole, rewritten, seed));
  const { written, scheduled } = compileForPreset(preset, settingOf(preset), rewritten, runs, 4);
  const inputs = cutsOf(whole, rewritten, 7);
  const found = await computeByParties(settingOf(preset), scheduled, inputs);
  const [output] = scheduled.module.outputs;
  const real = interpret(written.module, written.weights, inputs).get(output!)!;
  const exact = interpret(rewritten.module, rewritten.weights, inputs).get(output!)!;
  expect(largestDifference(found, real)).toBeLessThan(truncations);
  expect(largestDifference(real, exact)).toBeLessThan(0.01);
});
