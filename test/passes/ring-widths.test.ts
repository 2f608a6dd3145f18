import { expect, test } from "vitest";
import { createBuilder } from "../../ir/builder.ts";
import { DiagnosticError } from "../../ir/diagnostic.ts";
import type { Attrs } from "../../ir/module.ts";
import { f32, type Interval } from "../../ir/type.ts";
import { calibrate } from "../../passes/4-quantize/calibrate.ts";
import { type Quality, qualities, quantize } from "../../passes/4-quantize/index.ts";
import { selectPass } from "../../passes/5-select/index.ts";
import { schedulePass } from "../../passes/6-schedule/index.ts";
import { runPass, type SplitState } from "../../passes/pass.ts";
import { predict } from "../../runtime/session/predict.ts";
import { createRandom } from "../../scripts/fuzz/random.ts";
import { programFromPlan } from "../../targets/program/interpret-plan.ts";
import { planProgram } from "../../targets/program/plan.ts";

/** Operators of one secret, with what attributes they need. */
const operators: Readonly<Record<string, Attrs>> = {
  ...Object.fromEntries(
    ["exp", "log", "reciprocal", "rsqrt", "sqrt", "tanh", "sigmoid", "gelu", "silu", "erf", "relu", "abs", "sign"].map(
      (name) => [name, {}],
    ),
  ),
  softmax: { axis: 1 },
  "rms-norm": { epsilon: 1e-5 },
  clip: { lo: -1, hi: 3 },
  argmax: { axis: 1, keepdims: true },
  rank: { axis: 1 },
  "reduce-max": { axes: [1], keepdims: true },
  square: {},
};

/** An operator between bounds of any magnitude, whose result goes through products that want wide rings. */
function wideModule(name: string, range: Interval, products: number): SplitState {
  const builder = createBuilder(name, "rewrite");
  const x = builder.input("x", { label: "client", element: f32, shape: [1, 2] }, range);
  const secret = builder.op("share", [x], {}, { result: "secret" });
  const made = builder.op(name, [secret], operators[name]!, { result: "made" });
  let y = made;
  if (name !== "argmax" && name !== "rank") for (let k = 0; k < products; k++) y = builder.op("mul", [y, made]);
  builder.output(builder.op("reveal", [y], { to: "client" }, { result: "out" }));
  const client = { inputs: [], cuts: [], outputs: [], tails: [] };
  return { module: builder.finish(), weights: new Map(), client, sources: new Map() };
}

/** What the compiler says: `compiled`, or the code of its first refusal. */
function outcome(state: SplitState, quality: Quality, setting: "2pc-dealer" | "3pc"): string {
  const precision = qualities[quality][0]!;
  try {
    const quantized = quantize(state, { calibration: calibrate(state, [], { precision }), precision });
    const { module } = runPass(schedulePass, runPass(selectPass({ setting }), quantized));
    predict(programFromPlan(planProgram(module, setting), "wide"));
    return "compiled";
  } catch (error) {
    if (error instanceof DiagnosticError) return error.diagnostics[0]!.code;
    throw error;
  }
}

test("no operator, whatever its bounds, wants a ring that the runtime does not have", () => {
  const random = createRandom(12);
  const power = (): number => 2 ** (random.below(36) - 12) * (1 + random.below(8) / 8);
  const found = Array.from({ length: 40 }, () => {
    const name = random.pick(Object.keys(operators));
    const [a, b] = [power(), power()];
    const range = random.pick([
      { lo: -a, hi: b },
      { lo: Math.min(a, b), hi: Math.max(a, b) },
      { lo: -a, hi: 0 },
    ]);
    const quality = random.pick(Object.keys(qualities)) as Quality;
    return outcome(wideModule(name, range, random.below(4)), quality, random.pick(["2pc-dealer", "3pc"] as const));
  });
  expect(new Set(found)).toEqual(new Set(["compiled", "MRL0501", "MRL0520", "MRL0521", "MRL0522"]));
});

test("a function within one binade is computed short where its readers want more than its own ring", () => {
  for (const name of ["log", "reciprocal", "rsqrt", "sqrt"])
    expect(outcome(wideModule(name, { lo: 1.1, hi: 1.9 }, 3), "balanced", "2pc-dealer"), name).toBe("compiled");
});
