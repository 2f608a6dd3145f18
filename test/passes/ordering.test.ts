import { expect, test } from "vitest";
import { interpretRaw } from "../../ir/interpret.ts";
import { type Module, opsOf, typeOf } from "../../ir/module.ts";
import { type Tensor, tensor } from "../../ir/tensor.ts";
import { isBit } from "../../ir/type.ts";
import { verify } from "../../ir/verify.ts";
import { split } from "../../passes/1-split/split.ts";
import { calibrate } from "../../passes/4-quantize/calibrate.ts";
import { quantize } from "../../passes/4-quantize/index.ts";
import { select } from "../../passes/5-select/index.ts";
import { schedulePass } from "../../passes/6-schedule/index.ts";
import { runPass, type SplitState } from "../../passes/pass.ts";
import type { Setting } from "../../runtime/protocols/kit/define-protocol.ts";
import { intTensor } from "../../runtime/ring/tensor.ts";
import { programFromPlan } from "../../targets/program/interpret-plan.ts";
import { planProgram } from "../../targets/program/plan.ts";
import { integerWeights, runSession } from "../harness/run-session.ts";
import { createNoise, type Model, model } from "./models.ts";

/** Every operator that orders or selects; each result is an output. */
function ordering(): Model {
  return model(({ op, weight, feature }) => {
    // Sums with private numbers are exact, and make the client's values secret.
    const offset = weight("offset", "server", tensor([5], [0.5, -0.25, 0, 0.25, -0.5]));
    const [x, y] = ["x", "y"].map((id) => op("add", [feature(id, [3, 5]), offset])) as [string, string];
    const half = weight("half", "public", tensor([], [0.5]));
    const zero = weight("zero", "public", tensor([], [0]));
    const less = op("compare", [x, y], { kind: "less" }, { result: "less" });
    const above = op("compare", [x, half], { kind: "greater-or-equal" });
    const either = op("logic", [less, op("not", [above])], { kind: "or" }, { result: "either" });
    const chosen = op("where", [either, x, y], {}, { result: "chosen" });
    const masked = op("where", [less, chosen, zero]);
    const clipped = op("clip", [masked], { lo: -0.7, hi: 0.3 }, { result: "clipped" });
    const most = op("maximum", [clipped, y]);
    const least = op("minimum", [op("abs", [x]), half]);
    // A boolean that is summed: it is opened and becomes a number.
    const count = op("reduce-sum", [op("cast", [less], { to: "f32" })], { axes: [1], keepdims: false });
    return [
      op("argmax", [most], { axis: 1, keepdims: false }),
      op("reduce-max", [most], { axes: [0], keepdims: true }),
      op("reduce-min", [least], { axes: [1], keepdims: false }),
      op("sign", [y]),
      either,
      count,
    ];
  });
}

/** Operators whose first operand is public: protocols expect it second. */
function mirrored(): Model {
  return model(({ op, weight, feature }) => {
    const x = op("add", [feature("x", [3, 5]), weight("offset", "server", tensor([5], [0.5, -0.25, 0, 0.25, -0.5]))]);
    const half = weight("half", "public", tensor([], [0.5]));
    const bounds = weight("bounds", "public", tensor([5], [0.5, 0, -0.25, 1, -1]));
    const known = weight("known", "public", tensor([5], [0, 1, 1, 0, 1]));
    const secret = op("compare", [bounds, x], { kind: "less" });
    return [
      ...["equal", "less-or-equal", "greater", "greater-or-equal"].map((kind) => op("compare", [bounds, x], { kind })),
      ...["and", "or", "xor"].map((kind) => op("logic", [known, secret], { kind })),
      op("maximum", [half, x]),
      op("minimum", [bounds, x]),
    ];
  });
}

/** The two largest of a row and their indices, ranked in groups: indices of the second round are secrets. */
function largest(): Model {
  return model(({ op, weight, feature }) => {
    const offset = weight("offset", "server", tensor([5], [0.5, -0.25, 0, 0.25, -0.5]));
    const [x, y] = ["x", "y"].map((id) => op("add", [feature(id, [3, 5]), offset])) as [string, string];
    const both = op("reshape", [op("concat", [x, y], { axis: 1 })], { shape: [3, 2, 5] });
    const first = { axis: 2, count: 2 };
    const ranks = op("rank", [both], { axis: 2 });
    const index = op("add", [op("select-by-rank", [ranks], first), weight("from", "public", tensor([2, 1], [0, 5]))]);
    const [values, indices] = [op("select-by-rank", [ranks, both], first), index].map((rows) =>
      op("reshape", [rows], { shape: [3, 4] }),
    ) as [string, string];
    const last = { axis: 1, count: 2 };
    const final = op("rank", [values], { axis: 1 });
    return [
      op("select-by-rank", [final, values], last),
      op("select-by-rank", [final, indices], last),
      op("rank", [x], { axis: 0, largest: false }),
    ];
  });
}

function quantized(whole: Model): SplitState {
  const cut = split(whole, { reveal: whole.module.outputs.map((output) => ({ output, to: "client" as const })) });
  return quantize(cut, { calibration: calibrate(cut, [1, 2, 3].map(inputsOf)) });
}

const inputsOf = (seed: number): ReadonlyMap<string, Tensor> => {
  const noise = createNoise(seed);
  // Sixteenths: some are equal.
  const draw = (): Tensor =>
    tensor(
      [3, 5],
      noise([3, 5]).data.map((v) => Math.round(v * 16) / 16),
    );
  return new Map([
    ["x", draw()],
    ["y", draw()],
  ]);
};

/** Checks that the outputs equal the interpreter's bit for bit, and returns the scheduled module. */
async function exact(whole: Model, setting: Setting): Promise<Module> {
  const state = quantized(whole);
  const scheduled = runPass(schedulePass, select(state, { setting }));
  expect(verify(scheduled.module)).toEqual([]);
  const program = programFromPlan(planProgram(scheduled.module, setting), "test");
  const queries = [7, 8].map(inputsOf);
  const raw = queries.map((inputs) =>
    Object.fromEntries(
      Object.entries(program.inputs).map(([id, { shape, scale }]) => [
        id,
        intTensor(
          shape,
          inputs.get(id)!.data.map((v) => Math.round(v * 2 ** scale)),
        ),
      ]),
    ),
  );
  const { results } = await runSession(program, integerWeights(program, scheduled.weights), raw);
  for (const [k, { outputs }] of results.entries()) {
    const wanted = interpretRaw(state.module, state.weights, queries[k]!);
    for (const id of scheduled.module.outputs) {
      const unit = 2 ** program.outputs[id]!.scale;
      expect([...outputs.get(id)!.data!], id).toEqual([...wanted.get(id)!.data].map((v) => v * unit + 0));
    }
  }
  return scheduled.module;
}

test.each([
  "2pc-dealer",
  "3pc",
] as const)("comparisons and selections in %s equal the interpreter's bit for bit", async (setting) => {
  const module = await exact(ordering(), setting);
  expect(opsOf(module).map(({ protocol }) => protocol)).toContain("bit.extend");
  const less = opsOf(module).find(({ name }) => name === "compare")!;
  expect(isBit(typeOf(module, less.result).element)).toBe(true);
});

test("a public operand may be the first or the second", async () => {
  const module = await exact(mirrored(), "2pc-dealer");
  const names = new Set(opsOf(module).map(({ protocol }) => protocol));
  for (const name of ["threshold.compare", "local.logic", "threshold.maximum", "threshold.minimum"]) {
    expect(names).toContain(name);
  }
});

test("the largest values and their indices, ranked in groups, equal the interpreter's", async () => {
  const module = await exact(largest(), "2pc-dealer");
  const names = opsOf(module).map(({ protocol }) => protocol);
  expect(names.filter((name) => name === "table.select-by-rank")).toHaveLength(4);
  // A value is opened once, for its comparisons and for the selection by rank.
  const ranked = opsOf(module).filter(({ name }) => name === "rank" || name === "select-by-rank");
  const opened = new Set(ranked.flatMap(({ operands }) => operands));
  expect(opened.size).toBe(6);
});
