import { expect, test } from "vitest";
import { interpret } from "../../ir/interpret.ts";
import { opsOf, type ValueId } from "../../ir/module.ts";
import { type Tensor, tensor } from "../../ir/tensor.ts";
import { split } from "../../passes/1-split/split.ts";
import { rewrite } from "../../passes/2-rewrite/index.ts";
import { approximatePass, presets } from "../../passes/3-approximate/index.ts";
import { calibrate } from "../../passes/4-quantize/calibrate.ts";
import { quantizePass } from "../../passes/4-quantize/index.ts";
import { selectPass } from "../../passes/5-select/index.ts";
import { schedulePass } from "../../passes/6-schedule/index.ts";
import { runPass, type SplitState } from "../../passes/pass.ts";
import { intTensor } from "../../runtime/ring/tensor.ts";
import { evenGrid, singleOpModule } from "../../scripts/tables/single-op-module.ts";
import { programFromPlan } from "../../targets/program/interpret-plan.ts";
import { planProgram } from "../../targets/program/plan.ts";
import { integerWeights, runSession } from "../harness/run-session.ts";
import { block, createNoise, largestDifference, type Model } from "./models.ts";

const setting = "2pc-dealer";

/** A rewritten module, compiled for a preset: before and after the choice of rings and protocols. */
function compiled(name: string, rewritten: SplitState, runs: readonly ReadonlyMap<ValueId, Tensor>[]) {
  const { precision, families, ring, ...preset } = presets.get(name)!;
  const written = runPass(approximatePass({ ...preset, precision, families }), rewritten);
  const calibration = calibrate(written, runs, { margin: 4, precision });
  const quantized = runPass(quantizePass({ calibration, precision }), written);
  const selected = runPass(selectPass({ setting, families, ...(ring !== undefined && { ring }) }), quantized);
  return { written, scheduled: runPass(schedulePass, selected) };
}

/** The result of three parties on these inputs. */
async function computed({ module, weights }: SplitState, inputs: ReadonlyMap<ValueId, Tensor>): Promise<Tensor> {
  const program = programFromPlan(planProgram(module, setting), "test");
  const raw = Object.entries(program.inputs).map(([id, { shape, scale }]) => {
    const integers = inputs.get(id)!.data.map((x) => Math.round(x * 2 ** scale));
    return [id, intTensor(shape, integers)] as const;
  });
  const { results } = await runSession(program, integerWeights(program, weights), [Object.fromEntries(raw)]);
  const [id, { shape, data }] = [...results[0]!.outputs][0]!;
  return tensor(
    shape,
    data!.map((x) => x / 2 ** program.outputs[id]!.scale),
  );
}

const protocolsOf = ({ module }: SplitState): readonly string[] => [
  ...new Set(opsOf(module).flatMap(({ protocol }) => protocol ?? [])),
];

interface Case {
  readonly preset: string;
  readonly operator: string;
  readonly bounds: readonly [lo: number, hi: number];
  /** Maximum error by truncations, in units of 2^-16, against the same expansion in real numbers. */
  readonly tolerance: number;
}
const one = (preset: string, operator: string, lo: number, hi: number, tolerance: number): Case => ({
  preset,
  operator,
  bounds: [lo, hi],
  tolerance,
});
const rowwise: readonly string[] = ["softmax", "layer-norm"];

/**
 * Eight squarings multiply the error of the first number by up to 256: CrypTen's exponential keeps about eight bits.
 * 2Quad multiplies the error of a quotient by squares up to 64; with SecFormer's division, which rounds in every step of
 * Goldschmidt's iteration, random carries reached 1,097 units in 200 runs.
 */
const cases: readonly Case[] = [
  one("crypten", "exp", -8, 0, 256),
  one("crypten", "reciprocal", 1, 30, 64),
  one("crypten", "rsqrt", 0.5, 30, 512),
  one("crypten", "sigmoid", -6, 6, 128),
  one("crypten", "tanh", -3, 3, 256),
  one("crypten", "erf", -1.5, 1.5, 512),
  one("crypten", "log", 0.1, 20, 1024),
  one("crypten", "softmax", -4, 4, 256),
  one("crypten", "layer-norm", -4, 4, 512),
  one("mpcformer", "gelu", -6, 6, 8),
  one("mpcformer", "softmax", -3, 3, 1024),
  one("mpcformer-2relu", "softmax", -3, 3, 1024),
  one("secformer", "gelu", -6, 6, 32),
  one("secformer", "softmax", -3, 3, 2048),
  one("shaft", "gelu", -6, 6, 16),
  one("shaft", "silu", -12, 12, 16),
  one("shaft", "softmax", -4, 4, 64),
];

test.each(
  cases,
)("$preset: three parties compute $operator as its expansion in real numbers, up to truncations", async (each) => {
  const { preset, operator, bounds, tolerance } = each;
  const shape = rowwise.includes(operator) ? [3, 5] : [15];
  const x = evenGrid(shape, ...bounds);
  const inputs = new Map([["x", x]]);
  const { written, scheduled } = compiled(
    preset,
    singleOpModule(operator, shape, operator === "layer-norm" ? { epsilon: 1e-5 } : {}),
    [inputs],
  );
  // Family marill serves inputs and outputs only.
  const foreign = protocolsOf(scheduled).filter((name) => !/^(a2b|beaver|opened|same-ring)\./.test(name));
  expect(foreign.toSorted()).toEqual(["one-way.reveal", "seeded.share"]);
  const found = await computed(scheduled, inputs);
  const real = interpret(written.module, written.weights, inputs).get("out")!;
  const fixed = interpret(scheduled.module, scheduled.weights, inputs).get("out")!;
  expect(largestDifference(found, real) * 2 ** 16).toBeLessThan(tolerance);
  expect(largestDifference(found, fixed) * 2 ** 16).toBeLessThan(tolerance);
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

const blocks = [
  { preset: "crypten", truncations: 0.002, approximation: 0.01 },
  { preset: "shaft", truncations: 0.002, approximation: 0.01 },
];

test.each(blocks)("three parties run a transformer block as $preset computes it", async ({
  preset,
  truncations,
  approximation,
}) => {
  const whole = block();
  const reveal = whole.module.outputs.map((output) => ({ output, to: "client" as const }));
  const rewritten = rewrite(split(whole, { reveal }));
  const runs = [1, 2, 3, 4].map((seed) => cutsOf(whole, rewritten, seed));
  const { written, scheduled } = compiled(preset, rewritten, runs);
  const inputs = cutsOf(whole, rewritten, 7);
  const found = await computed(scheduled, inputs);
  const [output] = scheduled.module.outputs;
  const real = interpret(written.module, written.weights, inputs).get(output!)!;
  const exact = interpret(rewritten.module, rewritten.weights, inputs).get(output!)!;
  expect(largestDifference(found, real)).toBeLessThan(truncations);
  expect(largestDifference(real, exact)).toBeLessThan(approximation);
  expect(protocolsOf(scheduled)).toEqual(expect.arrayContaining(["beaver.matmul", "beaver.weight-matmul", "a2b.relu"]));
});
