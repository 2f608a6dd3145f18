import { expect, test } from "vitest";
import { interpret } from "../../ir/interpret.ts";
import { opsOf, type ValueId } from "../../ir/module.ts";
import { type Tensor, tensor } from "../../ir/tensor.ts";
import { verify } from "../../ir/verify.ts";
import { split } from "../../passes/1-split/split.ts";
import { rewrite } from "../../passes/2-rewrite/index.ts";
import { calibrate } from "../../passes/4-quantize/calibrate.ts";
import { quantizePass } from "../../passes/4-quantize/index.ts";
import { defaultPrecision } from "../../passes/4-quantize/precision.ts";
import { selectPass } from "../../passes/5-select/index.ts";
import { schedulePass } from "../../passes/6-schedule/index.ts";
import { runPass, type SplitState } from "../../passes/pass.ts";
import { intTensor } from "../../runtime/ring/tensor.ts";
import { addBytes, predict } from "../../runtime/session/predict.ts";
import { programFromPlan } from "../../targets/program/interpret-plan.ts";
import { planProgram } from "../../targets/program/plan.ts";
import { integerWeights, runSession } from "../harness/run-session.ts";
import { createNoise, largestDifference, model } from "./models.ts";

/**
 * x·W₁ + b → relu → ·W₂ (public) → softmax in primitives: the row's maximum, e^z by (1 + z/8)^8 and 0 below −8, the
 * sum, its inverse by Newton's method from 1/4. It has private and public weights, constants and comparisons.
 */
const perceptron = () =>
  model(({ op, weight, noise, feature }) => {
    const constant = (id: string, x: number): ValueId => weight(id, "public", tensor([], Float64Array.of(x)));
    const x = feature("x", [1, 3, 8]);
    const inner = op("matmul", [x, weight("first", "server", noise([8, 6], 0.5))]);
    const active = op("relu", [op("add", [inner, weight("bias", "server", noise([6], 0.5))])]);
    const scores = op("matmul", [active, weight("second", "public", noise([6, 4], 0.5))]);
    const z = op("sub", [scores, op("reduce-max", [scores], { axes: [-1], keepdims: true })]);
    let e = op("add", [op("mul", [z, constant("eighth", 1 / 8)]), constant("one", 1)]);
    for (let k = 0; k < 3; k++) e = op("mul", [e, e]);
    const isFar = op("compare", [z, constant("far", -8)], { kind: "less" });
    const kept = op("where", [isFar, constant("zero", 0), e]);
    const sum = op("reduce-sum", [kept], { axes: [-1], keepdims: true });
    let inverse = op("sub", [constant("half", 0.5), op("mul", [sum, constant("sixteenth", 1 / 16)])]);
    for (let k = 0; k < 5; k++) {
      const rest = op("sub", [constant(`two${k}`, 2), op("mul", [sum, inverse])]);
      inverse = op("mul", [inverse, rest]);
    }
    return [op("mul", [kept, inverse])];
  });

const precision = { ...defaultPrecision, activation: 16 };

function compiled(): SplitState {
  const whole = perceptron();
  const revealed = split(whole, { reveal: whole.module.outputs.map((output) => ({ output, to: "client" as const })) });
  const divided = rewrite(revealed);
  const noise = createNoise(5);
  const runs = [1, 2, 3, 4].map(() => new Map([["x", noise([1, 3, 8])]]));
  const quantized = runPass(quantizePass({ calibration: calibrate(divided, runs, { precision }), precision }), divided);
  const options = { setting: "3pc", families: ["replicated"], ring: 64 } as const;
  return runPass(schedulePass, runPass(selectPass(options), quantized));
}

test("a whole program on replicated shares computes what the interpreter does, and sends the predicted bytes", async () => {
  const { module, weights } = compiled();
  expect(verify(module)).toEqual([]);
  const used = new Set(opsOf(module).flatMap(({ protocol }) => protocol ?? []));
  expect([...used].filter((name) => !name.startsWith("replicated."))).toEqual([]);
  const program = programFromPlan(planProgram(module, "3pc"), "test");
  const x = createNoise(9)([1, 3, 8]);
  const { scale } = program.inputs.x!;
  const inputs = {
    x: intTensor(
      x.shape,
      x.data.map((v) => Math.round(v * 2 ** scale)),
    ),
  };
  const { results, bytes } = await runSession(program, integerWeights(program, weights), [inputs, inputs]);
  const { setup, offline, online, dealerComputes } = predict(program);
  expect(dealerComputes).toBe(true);
  expect(bytes).toEqual(addBytes(setup.bytes, offline.bytes, offline.bytes, online.bytes, online.bytes));
  const [output] = module.outputs as [ValueId];
  const exact = interpret(module, weights, new Map<ValueId, Tensor>([["x", x]])).get(output)!;
  for (const { outputs, rounds } of results) {
    expect(rounds).toBe(online.rounds);
    const { shape, data } = outputs.get(output)!;
    const real = tensor(
      shape,
      data!.map((v) => v / 2 ** program.outputs[output]!.scale),
    );
    expect(largestDifference(real, exact)).toBeLessThan(0.002);
    for (let row = 0; row < 3; row++) {
      const sum = real.data.slice(4 * row, 4 * row + 4).reduce((all, v) => all + v, 0);
      expect(Math.abs(sum - 1)).toBeLessThan(0.01);
    }
  }
});

test("public weights are sent to the dealer, private ones are shared with it", () => {
  const { weights } = planProgram(compiled().module, "3pc");
  expect(Object.fromEntries(Object.entries(weights).map(([id, { form }]) => [id, form]))).toMatchObject({
    first: "known",
    bias: "known",
    second: "disclosed",
    eighth: "disclosed",
  });
});
