import { expect, test } from "vitest";
import { programOf } from "../../compiler/execute.ts";
import { grid, oneOp } from "../../compiler/report/one-op.ts";
import { interpret } from "../../ir/interpret.ts";
import { opsOf, type ValueId } from "../../ir/module.ts";
import { type Tensor, tensor } from "../../ir/weights.ts";
import { split } from "../../passes/1-split/index.ts";
import { rewrite } from "../../passes/2-rewrite/index.ts";
import { approximatePass, presets } from "../../passes/3-approximate/index.ts";
import { calibrate, quantizePass } from "../../passes/4-quantize/index.ts";
import { selectPass } from "../../passes/5-select/index.ts";
import { schedulePass } from "../../passes/6-schedule/index.ts";
import { runPass, type SplitState } from "../../passes/pass.ts";
import { integers } from "../../runtime/ring/tensor.ts";
import { addBytes, predict } from "../../runtime/session/predict.ts";
import { planProgram } from "../../targets/program/plan.ts";
import { integerWeights, runSession } from "../harness/session.ts";
import { block, createNoise, largestDifference, type Model } from "./models.ts";

const setting = "3pc";
const puma = presets.get("puma")!;

function compiled(rewritten: SplitState, runs: readonly ReadonlyMap<ValueId, Tensor>[], margin: number) {
  const { precision, families, ring } = puma;
  const written = runPass(approximatePass(puma), rewritten);
  const calibration = calibrate(written, runs, { margin, precision });
  const quantized = runPass(quantizePass({ calibration, precision }), written);
  const selected = runPass(selectPass({ setting, families, ring: ring! }), quantized);
  return { written, scheduled: runPass(schedulePass, selected) };
}

/** What three parties compute of these inputs; what is sent is what was counted. */
async function computed({ module, weights }: SplitState, inputs: ReadonlyMap<ValueId, Tensor>): Promise<Tensor> {
  const names = opsOf(module).flatMap(({ protocol }) => protocol ?? []);
  expect(names.filter((name) => !name.startsWith("replicated."))).toEqual([]);
  const program = programOf(planProgram(module, setting), "test");
  const raw = Object.entries(program.inputs).map(([id, { shape, scale }]) => {
    const whole = inputs.get(id)!.data.map((x) => Math.round(x * 2 ** scale));
    return [id, integers(shape, whole)] as const;
  });
  const { results, bytes } = await runSession(program, integerWeights(program, weights), [Object.fromEntries(raw)]);
  const { setup, offline, online } = predict(program);
  expect(bytes).toEqual(addBytes(setup.bytes, offline.bytes, online.bytes));
  expect(results[0]!.rounds).toBe(online.rounds);
  const [id, { shape, data }] = [...results[0]!.outputs][0]!;
  return tensor(
    shape,
    data!.map((x) => x / 2 ** program.outputs[id]!.scale),
  );
}

/** Units of 2^-18 that truncations may make of it, beside the same expansion in real numbers. */
const cases: readonly (readonly [operator: string, lo: number, hi: number, tolerance: number])[] = [
  ["gelu", -6, 6, 64],
  ["exp", -16, 0, 32],
  ["reciprocal", 0.1, 100, 100],
  ["rsqrt", 0.01, 60, 400],
  ["silu", -12, 12, 64],
  ["softmax", -4, 4, 16],
  ["layer-norm", -4, 4, 160],
];

test.each(
  cases,
)("%s on [%d, %d]: three parties find what it is in real numbers", async (operator, lo, hi, tolerance) => {
  const shape = ["softmax", "layer-norm"].includes(operator) ? [3, 5] : [15];
  const inputs = new Map([["x", grid(shape, lo, hi)]]);
  const state = oneOp(operator, shape, operator === "layer-norm" ? { epsilon: 1e-5 } : {});
  const { written, scheduled } = compiled(state, [inputs], 1);
  const found = await computed(scheduled, inputs);
  const real = interpret(written.module, written.weights, inputs).get("out")!;
  expect(largestDifference(found, real) * 2 ** 18).toBeLessThan(tolerance);
});

function cutsOf(whole: Model, { module }: SplitState, seed: number): ReadonlyMap<ValueId, Tensor> {
  const noise = createNoise(seed);
  const inputs = whole.module.inputs.map((id): [ValueId, Tensor] => [id, noise(whole.module.values[id]!.type.shape)]);
  const cuts = new Map<ValueId, Tensor>();
  interpret(whole.module, whole.weights, new Map(inputs), {
    observe: (id, value) => module.inputs.includes(id) && cuts.set(id, value),
  });
  return cuts;
}

test("a transformer block runs as PUMA computes it, on replicated shares alone", async () => {
  const whole = block();
  const reveal = whole.module.outputs.map((output) => ({ output, to: "client" as const }));
  const rewritten = rewrite(split(whole, { reveal }));
  const runs = [1, 2, 3, 4].map((seed) => cutsOf(whole, rewritten, seed));
  const { written, scheduled } = compiled(rewritten, runs, 4);
  const inputs = cutsOf(whole, rewritten, 7);
  const found = await computed(scheduled, inputs);
  const [output] = scheduled.module.outputs;
  const real = interpret(written.module, written.weights, inputs).get(output!)!;
  const exact = interpret(rewritten.module, rewritten.weights, inputs).get(output!)!;
  expect(largestDifference(found, real)).toBeLessThan(0.001);
  expect(largestDifference(real, exact)).toBeLessThan(0.001);
});
