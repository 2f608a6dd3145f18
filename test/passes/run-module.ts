import { expect } from "vitest";
import { interpret } from "../../ir/interpret.ts";
import { opsOf, type ValueId } from "../../ir/module.ts";
import { type Tensor, tensor } from "../../ir/tensor.ts";
import { approximatePass, presets } from "../../passes/3-approximate/index.ts";
import { calibrate } from "../../passes/4-quantize/calibrate.ts";
import { quantizePass } from "../../passes/4-quantize/index.ts";
import type { SelectOptions } from "../../passes/5-select/choose.ts";
import { selectPass } from "../../passes/5-select/index.ts";
import { schedulePass } from "../../passes/6-schedule/index.ts";
import { runPass, type SplitState } from "../../passes/pass.ts";
import type { Setting } from "../../runtime/protocols/kit/define-protocol.ts";
import { intTensor } from "../../runtime/ring/tensor.ts";
import { addBytes, predict } from "../../runtime/session/predict.ts";
import { programFromPlan } from "../../targets/program/interpret-plan.ts";
import { planProgram } from "../../targets/program/plan.ts";
import { integerWeights, runSession } from "../harness/run-session.ts";
import { createNoise, type Model } from "./models.ts";

export type Inputs = ReadonlyMap<ValueId, Tensor>;

/** A rewritten module, compiled for a preset: before and after the choice of rings and protocols. */
export function compileForPreset(
  name: string,
  setting: Setting,
  rewritten: SplitState,
  runs: readonly Inputs[],
  margin = 1,
) {
  const preset = presets.get(name)!;
  const { precision, families, ring, truncation = "fast" } = preset;
  const written = runPass(approximatePass(preset), rewritten);
  const calibration = calibrate(written, runs, { margin, precision });
  const quantized = runPass(quantizePass({ calibration, precision, truncation }), written);
  const options: SelectOptions = { setting, families, truncation, ...(ring !== undefined && { ring }) };
  return { written, scheduled: runPass(schedulePass, runPass(selectPass(options), quantized)) };
}

/** The result of the parties on these inputs; checks that they send what was counted. */
export async function computeByParties(
  setting: Setting,
  { module, weights }: SplitState,
  inputs: Inputs,
): Promise<Tensor> {
  const program = programFromPlan(planProgram(module, setting), "test");
  const raw = Object.entries(program.inputs).map(([id, { shape, scale }]) => {
    const integers = inputs.get(id)!.data.map((x) => Math.round(x * 2 ** scale));
    return [id, intTensor(shape, integers)] as const;
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

export const protocolsOf = ({ module }: SplitState): readonly string[] => [
  ...new Set(opsOf(module).flatMap(({ protocol }) => protocol ?? [])),
];

/** Inputs of the secure part of a split model, for random inputs of the model. */
export function cutsOf(whole: Model, { module }: SplitState, seed: number): Inputs {
  const noise = createNoise(seed);
  const inputs = whole.module.inputs.map((id): [ValueId, Tensor] => [id, noise(whole.module.values[id]!.type.shape)]);
  const cuts = new Map<ValueId, Tensor>();
  interpret(whole.module, whole.weights, new Map(inputs), {
    observe: (id, value) => module.inputs.includes(id) && cuts.set(id, value),
  });
  return cuts;
}
