import { expect, test } from "vitest";
import { interpret } from "../../ir/interpret.ts";
import { type Module, opsOf, type ValueId } from "../../ir/module.ts";
import { type Tensor, tensor } from "../../ir/tensor.ts";
import { bool } from "../../ir/type.ts";
import { split } from "../../passes/1-split/split.ts";
import { rewrite } from "../../passes/2-rewrite/index.ts";
import { calibrate } from "../../passes/4-quantize/calibrate.ts";
import { quantize } from "../../passes/4-quantize/index.ts";
import { selectPass } from "../../passes/5-select/index.ts";
import { schedulePass } from "../../passes/6-schedule/index.ts";
import { runPass } from "../../passes/pass.ts";
import { intTensor } from "../../runtime/ring/tensor.ts";
import { programFromPlan } from "../../targets/program/interpret-plan.ts";
import { planProgram } from "../../targets/program/plan.ts";
import { integerWeights, runSession } from "../harness/run-session.ts";
import { createNoise, type Kit, largestDifference, type Model, model } from "./models.ts";

type Mask = (kit: Kit, exists: ValueId, absent: ValueId, zero: ValueId) => ValueId;
const masks: readonly (readonly [string, Mask])[] = [
  ["a selection", ({ op }, exists, absent, zero) => op("where", [exists, zero, absent])],
  ["a complement", ({ op }, exists, absent) => op("mul", [op("cast", [op("not", [exists])], { to: "f32" }), absent])],
];

/** Attention after a private layer, with a condition of the client that says which scores exist. */
const masked = (mask: Mask) =>
  model((kit) => {
    const { op, feature, weight, noise } = kit;
    const exists = kit.input("exists", { label: "client", element: bool, shape: [1, 1, 1, 4] });
    const [absent, zero] = [-1e4, 0].map((value) => weight(`${value}`, "public", tensor([], [value])));
    const x = feature("x", [1, 2, 4, 8]);
    const [q, k, v] = ["q", "k", "v"].map((name) => op("matmul", [x, weight(name, "server", noise([8, 8]))]));
    return [op("attention", [q!, k!, v!, mask(kit, exists, absent!, zero!)], { scale: 0.35, causal: true })];
  });

/** Runs two queries at three parties, compares them with the model, and returns the scheduled module. */
async function holds(whole: Model, run: (seed: number) => ReadonlyMap<ValueId, Tensor>): Promise<Module> {
  // The client's inputs are tensors of the ONNX file, values computed from them are not.
  const sources = new Map([...run(1).keys()].map((id) => [id, id]));
  const [output] = whole.module.outputs;
  const state = rewrite(split({ ...whole, sources }, { reveal: [{ output: output!, to: "client" }] }));
  const calibration = calibrate(state, [1, 2, 3].map(run), { margin: 4 });
  const scheduled = runPass(
    schedulePass,
    runPass(selectPass({ setting: "2pc-dealer" }), quantize(state, { calibration })),
  );
  const program = programFromPlan(planProgram(scheduled.module, "2pc-dealer"), "test");
  const raw = (real: Tensor, scale: number) =>
    intTensor(
      real.shape,
      real.data.map((value) => Math.round(value * 2 ** scale)),
    );
  const queries = [7, 8].map((seed) => {
    const given = [...run(seed)].map(([id, real]) => [id, raw(real, program.inputs[id]!.scale)] as const);
    return Object.fromEntries(given);
  });
  const { results } = await runSession(program, integerWeights(program, scheduled.weights), queries);
  results.forEach(({ outputs }, at) => {
    const [id] = scheduled.module.outputs;
    const { shape, data } = outputs.get(id!)!;
    const real = tensor(
      shape,
      data!.map((value) => value / 2 ** program.outputs[id!]!.scale),
    );
    const exact = interpret(whole.module, whole.weights, run(7 + at)).get(output!)!;
    expect(largestDifference(real, exact)).toBeLessThan(0.05);
  });
  return scheduled.module;
}

test.each(masks)("three parties apply a mask of the client that is %s", async (_name, mask) => {
  await holds(
    masked(mask),
    (seed) =>
      new Map([
        ["x", createNoise(seed)([1, 2, 4, 8])],
        ["exists", tensor([1, 1, 1, 4], [1, 0, 1, seed % 2])],
      ]),
  );
});

test("three parties apply a public mask with a position bias and two bidirectional prefixes", async () => {
  const back = (at: number): number => Math.floor(at / 4) - (at % 4);
  const bias = Array.from({ length: 32 }, (_, at) => {
    const within = Math.floor((at % 16) / 8) === Math.floor((at % 4) / 2);
    return within ? -Math.abs(back(at % 16)) / (at < 16 ? 2 : 4) : -3.4e38;
  });
  const whole = model(({ op, feature, weight, noise }) => {
    const x = feature("x", [1, 2, 4, 8]);
    const [q, k, v] = ["q", "k", "v"].map((name) => op("matmul", [x, weight(name, "server", noise([8, 8]))]));
    return [op("attention", [q!, k!, v!, weight("bias", "public", tensor([1, 2, 4, 4], bias))], { scale: 0.35 })];
  });
  const module = await holds(whole, (seed) => new Map([["x", createNoise(seed)([1, 2, 4, 8])]]));
  expect(opsOf(module).map(({ protocol }) => protocol)).toContain("coarse-max.attention-known-mask");
});

test("three parties apply a private position bias together with a public mask", async () => {
  const whole = model(({ op, feature, weight, noise }) => {
    const x = feature("x", [1, 2, 4, 8]);
    const [q, k, v] = ["q", "k", "v"].map((name) => op("matmul", [x, weight(name, "server", noise([8, 8]))]));
    const window = tensor([1, 1, 4, 4], [0, 0, -100, -100, 0, 0, -100, -100, -100, -100, 0, 0, -100, -100, 0, 0]);
    const bias = op("add", [weight("bias", "server", noise([1, 2, 4, 4])), weight("window", "public", window)]);
    return [op("attention", [q!, k!, v!, bias], { scale: 0.35 })];
  });
  await holds(whole, (seed) => new Map([["x", createNoise(seed)([1, 2, 4, 8])]]));
});

/** softmax(masked(x·W)) with a private W, after the rewrites; `sources` are the tensors of the ONNX file. */
const scored = (mask: (kit: Kit, scores: ValueId) => ValueId, sources: readonly string[]) => {
  const whole = model((kit) => {
    const { op, feature, weight, noise } = kit;
    const scores = op("matmul", [feature("x", [1, 2, 3, 4]), weight("w", "server", noise([4, 4]))]);
    return [op("softmax", [mask(kit, scores)], { axis: -1 })];
  });
  const state = split(
    { ...whole, sources: new Map(sources.map((id) => [id, id])) },
    { reveal: [{ output: whole.module.outputs[0]!, to: "client" }] },
  );
  return rewrite(state);
};

test("clamp-mask: the client clamps a value that is only added to scores, and no other", () => {
  const added = scored(({ op, feature }, scores) => op("add", [scores, feature("m", [1, 1, 1, 4])]), ["x", "m"]);
  expect(added.client.cuts).toEqual([
    { value: "x", source: "x" },
    { value: "m", source: "m", least: -4096 },
  ]);
  expect(added.module.values.m!.range).toEqual({ lo: -4096, hi: 4096 });
  const multiplied = scored(
    ({ op, feature }, scores) => {
      const m = feature("m", [1, 1, 1, 4]);
      return op("add", [op("mul", [scores, m]), m]);
    },
    ["x", "m"],
  );
  expect(multiplied.client.cuts.some(({ least }) => least !== undefined)).toBe(false);
});

test.each([true, false])("additive-mask: −∞ on the side where the condition is %s becomes an added mask", (side) => {
  const { module, weights } = scored(
    (kit, scores) => {
      const exists = kit.input("exists", { label: "client", element: bool, shape: [1, 1, 1, 4] });
      const absent = kit.weight("absent", "public", tensor([], [-Infinity]));
      return kit.op("where", side ? [exists, absent, scores] : [exists, scores, absent]);
    },
    ["x", "exists"],
  );
  const names = opsOf(module).map(({ name }) => name);
  expect(names).not.toContain("where");
  const x = createNoise(2)([1, 2, 3, 4]);
  const exists = [0, 1, 1, 0].map((seen) => (side ? 1 - seen : seen));
  const inputs = new Map([
    ["x", x],
    ["exists", tensor([1, 1, 1, 4], exists)],
  ]);
  const [probabilities] = interpret(module, weights, inputs).values();
  const rows = [...Array(6).keys()].map((row) => [...probabilities!.data.subarray(4 * row, 4 * row + 4)]);
  for (const [first, second, third, last] of rows) {
    expect([first, last]).toEqual([0, 0]);
    expect(second! + third!).toBeCloseTo(1);
  }
  // The condition times an integer keeps the fractional bits of the scores that it is added to.
  const state = { module, weights, client: { inputs: [], cuts: [], outputs: [], tails: [] }, sources: new Map() };
  const quantized = quantize(state, { calibration: calibrate(state, [inputs]) }).module;
  const sum = opsOf(quantized).find(({ name }) => name === "softmax")!.operands[0]!;
  expect(quantized.values[sum]!.type.element).toMatchObject({ scale: 12 });
});
