import { expect, it } from "vitest";
import { costReport } from "../../compiler/report/cost/cost-report.ts";
import { interpretRaw } from "../../ir/interpret.ts";
import { opsOf, type ValueId } from "../../ir/module.ts";
import type { Precision } from "../../ir/ops/define.ts";
import type { Tensor } from "../../ir/tensor.ts";
import { verify } from "../../ir/verify.ts";
import { split } from "../../passes/1-split/split.ts";
import { rewrite } from "../../passes/2-rewrite/index.ts";
import { calibrate } from "../../passes/4-quantize/calibrate.ts";
import { quantizePass } from "../../passes/4-quantize/index.ts";
import { defaultPrecision } from "../../passes/4-quantize/precision.ts";
import type { SelectOptions } from "../../passes/5-select/choose.ts";
import { selectPass } from "../../passes/5-select/index.ts";
import { inexactOperators } from "../../passes/5-select/inexact.ts";
import { schedulePass } from "../../passes/6-schedule/index.ts";
import { runPass, type SplitState } from "../../passes/pass.ts";
import { intTensor } from "../../runtime/ring/tensor.ts";
import { addBytes, predict } from "../../runtime/session/predict.ts";
import { programFromPlan } from "../../targets/program/interpret-plan.ts";
import { planProgram } from "../../targets/program/plan.ts";
import { integerWeights, runSession } from "../harness/run-session.ts";
import { createNoise, type Model, model } from "../passes/models.ts";

const [rows, width, hidden] = [3, 8, 12];

/** A perceptron with gates: products with private weights, biases, sums, ReLU, a maximum by choice, and products of two secrets of both kinds. */
const perceptron = (): Model =>
  model(({ op, weight, noise, feature }) => {
    const dense = (id: string, x: ValueId, from: number, to: number): ValueId => {
      const y = op("matmul", [x, weight(`${id}.W`, "server", noise([from, to], 0.6))], {});
      return op("add", [y, weight(`${id}.b`, "server", noise([to], 0.5))], {});
    };
    const x = feature("x", [rows, width]);
    const inner = op("relu", [dense("first", x, width, hidden)], {});
    const gate = op("relu", [dense("gate", x, width, hidden)], {});
    const larger = op("where", [op("compare", [inner, gate], { kind: "less" }), gate, inner], {});
    const gated = op("add", [op("mul", [inner, gate], {}), larger], {});
    const back = op("add", [dense("second", gated, hidden, width), x], {});
    const mixed = op("matmul", [back, op("transpose", [back], { perm: [1, 0] })], {});
    return [op("relu", [op("mul", [mixed, weight("scale", "public", noise([rows], 1))], {})], {})];
  });

const queries = 20;
const draw = (seed: number): ReadonlyMap<ValueId, Tensor> => new Map([["x", createNoise(seed)([rows, width])]]);

function compiled(truncation: "fast" | "exact", precision: Precision, more: Partial<SelectOptions> = {}): SplitState {
  const whole = perceptron();
  const [output] = whole.module.outputs;
  const rewritten = rewrite(split(whole, { reveal: [{ output: output!, to: "client" }] }));
  const runs = Array.from({ length: queries }, (_, seed) => draw(seed + 1));
  const calibration = calibrate(rewritten, runs, { precision });
  const quantized = runPass(quantizePass({ calibration, precision, truncation }), rewritten);
  return runPass(schedulePass, runPass(selectPass({ setting: "2pc-dealer", truncation, ...more }), quantized));
}

/** How many opened numbers are not the interpreter's, of all. */
async function differing(state: SplitState): Promise<readonly [different: number, all: number]> {
  const program = programFromPlan(planProgram(state.module, "2pc-dealer"), "test");
  const [id, { scale, shape }] = Object.entries(program.inputs)[0]!;
  const cuts = Array.from({ length: queries }, (_, seed) => draw(seed + 1).get("x")!);
  const raw = cuts.map((x) => ({
    [id]: intTensor(
      shape,
      x.data.map((v) => Math.round(v * 2 ** scale)),
    ),
  }));
  const { results, bytes } = await runSession(program, integerWeights(program, state.weights), raw);
  const { setup, offline, online } = predict(program);
  const each = Array.from({ length: queries }, () => addBytes(offline.bytes, online.bytes));
  expect(bytes).toEqual(addBytes(setup.bytes, ...each));
  const [output] = state.module.outputs;
  let [different, all] = [0, 0];
  results.forEach(({ outputs }, k) => {
    const expected = interpretRaw(state.module, state.weights, new Map([[id, cuts[k]!]]), {});
    const { element } = state.module.values[opsOf(state.module).at(-1)!.operands[0]!]!.type;
    const unit = element.kind === "fx" ? 2 ** element.scale : 1;
    outputs.get(output!)!.data!.forEach((v, at) => {
      all += 1;
      if (v !== expected.get(output!)!.data[at]! * unit) different += 1;
    });
  });
  return [different, all];
}

const precisions: readonly Precision[] = [
  defaultPrecision,
  { ...defaultPrecision, activation: 8, weight: 10, value: 6 },
  { ...defaultPrecision, activation: 14, weight: 11, value: 12 },
];

it.each(
  precisions,
)("parties open the interpreter's result bit for bit, at $activation fractional bits", async (precision) => {
  const state = compiled("exact", precision);
  expect(verify(state.module)).toEqual([]);
  expect(inexactOperators(state.module)).toEqual([]);
  const truncations = opsOf(state.module).filter(({ name }) => name === "truncate");
  expect(truncations.length).toBeGreaterThan(4);
  expect(new Set(truncations.map(({ protocol }) => protocol))).toEqual(new Set(["faithful.truncate"]));
  expect(await differing(state)).toEqual([0, queries * rows * rows]);
});

it("fast mode lists truncations as inexact, and differs from the interpreter", async () => {
  const state = compiled("fast", defaultPrecision);
  expect(inexactOperators(state.module).map(({ operator }) => operator)).toContain("truncate");
  const [different, all] = await differing(state);
  expect(different).toBeGreaterThan(all / 10);
});

it("a report of a one-ring program has the expected number of failing truncations", () => {
  const { module } = compiled("fast", defaultPrecision, { ring: 64, families: ["crypten", "marill"] });
  const { failures, operators } = costReport(module, "2pc-dealer", "00".repeat(32), []);
  const inRing = operators.filter(({ protocol }) => protocol === "same-ring.truncate");
  expect(inRing.length).toBeGreaterThan(4);
  // Values of 13 to 24 fractional bits and a few whole ones in 64 bits.
  for (const { error } of inRing) {
    expect(error.failure).toBeGreaterThan(2 ** -52);
    expect(error.failure).toBeLessThan(2 ** -30);
  }
  expect(failures).toBeGreaterThan(Math.max(...inRing.map(({ error }) => error.failure)));
  expect(inexactOperators(module).map(({ operator }) => operator)).toContain("truncate");
});
