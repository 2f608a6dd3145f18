import { expect, test } from "vitest";
import { interpret } from "../../ir/interpret.ts";
import { opsOf, type ValueId } from "../../ir/module.ts";
import { type Tensor, tensor } from "../../ir/tensor.ts";
import { verify } from "../../ir/verify.ts";
import { split } from "../../passes/1-split/split.ts";
import { rewrite } from "../../passes/2-rewrite/index.ts";
import { calibrate } from "../../passes/4-quantize/calibrate.ts";
import { quantize } from "../../passes/4-quantize/index.ts";
import { selectPass } from "../../passes/5-select/index.ts";
import { schedulePass } from "../../passes/6-schedule/index.ts";
import { runPass, type SplitState } from "../../passes/pass.ts";
import { intTensor } from "../../runtime/ring/tensor.ts";
import { addBytes, predict } from "../../runtime/session/predict.ts";
import { programFromPlan } from "../../targets/program/interpret-plan.ts";
import { planProgram } from "../../targets/program/plan.ts";
import { integerWeights, runSession } from "../harness/run-session.ts";
import { block, createNoise, largestDifference, type Model } from "./models.ts";

function cutsOf(whole: Model, { module }: SplitState, seed: number): ReadonlyMap<ValueId, Tensor> {
  const noise = createNoise(seed);
  const inputs = whole.module.inputs.map((id): [ValueId, Tensor] => [id, noise(whole.module.values[id]!.type.shape)]);
  const cuts = new Map<ValueId, Tensor>();
  interpret(whole.module, whole.weights, new Map(inputs), {
    observe: (id, value) => module.inputs.includes(id) && cuts.set(id, value),
  });
  return cuts;
}

function compiled(): { whole: Model; scheduled: SplitState; quantized: SplitState } {
  const whole = block();
  const rewritten = rewrite(
    split(whole, { reveal: whole.module.outputs.map((output) => ({ output, to: "client" as const })) }),
  );
  const runs = [1, 2, 3, 4].map((seed) => cutsOf(whole, rewritten, seed));
  const quantized = quantize(rewritten, { calibration: calibrate(rewritten, runs) });
  const scheduled = runPass(schedulePass, runPass(selectPass({ setting: "2pc-dealer" }), quantized));
  return { whole, scheduled, quantized };
}

test("three parties run a transformer block, and send the predicted bytes", async () => {
  const { whole, scheduled, quantized } = compiled();
  expect(verify(scheduled.module)).toEqual([]);
  const program = programFromPlan(planProgram(scheduled.module, "2pc-dealer"), "test");
  const cuts = cutsOf(whole, scheduled, 7);
  const inputs = Object.fromEntries(
    Object.entries(program.inputs).map(([id, { shape, scale }]) => [
      id,
      intTensor(
        shape,
        cuts.get(id)!.data.map((x) => Math.round(x * 2 ** scale)),
      ),
    ]),
  );
  const { results, bytes } = await runSession(program, integerWeights(program, scheduled.weights), [inputs, inputs]);
  const { setup, offline, online } = predict(program);
  expect(bytes).toEqual(addBytes(setup.bytes, offline.bytes, offline.bytes, online.bytes, online.bytes));
  const [output] = scheduled.module.outputs;
  const exact = interpret(scheduled.module, scheduled.weights, cuts).get(output!)!;
  const float = interpret(rewrittenOf(quantized), quantized.weights, cuts).get(output!)!;
  for (const { outputs, rounds } of results) {
    expect(rounds).toBe(online.rounds);
    const { shape, data } = outputs.get(output!)!;
    const real = tensor(
      shape,
      data!.map((x) => x / 2 ** program.outputs[output!]!.scale),
    );
    expect(largestDifference(real, exact)).toBeLessThan(0.02);
    expect(largestDifference(real, float)).toBeLessThan(0.02);
  }
});

const rewrittenOf = ({ module }: SplitState) => module;

test("steps group independent operators, and no ring needs an extension", () => {
  const { scheduled } = compiled();
  expect(scheduled.module.steps.some((step) => step.ops.length > 1)).toBe(true);
  expect(opsOf(scheduled.module).filter((op) => op.name === "extend")).toEqual([]);
});
