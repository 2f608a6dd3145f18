import { expect, test } from "vitest";
import { interpret } from "../../ir/interpret.ts";
import { opsOf } from "../../ir/module.ts";
import { tensor } from "../../ir/tensor.ts";
import { split } from "../../passes/1-split/split.ts";
import { rewritePass } from "../../passes/2-rewrite/index.ts";
import { runPass } from "../../passes/pass.ts";
import { createNoise, type Kit, largestDifference, model } from "./models.ts";
import { check, positive, reveal, secret } from "./rewriting.ts";

/** The output f(x·w, v) of two inputs of the client; no other value is a tensor of the model. */
function rewritten(build: (kit: Kit, x: string, v: string) => string) {
  const whole = model((kit) => [build(kit, secret(kit), kit.feature("v", [4]))]);
  const sources = new Map(["x", "v"].map((name) => [name, name]));
  const state = split({ ...whole, sources }, reveal(whole.module.outputs[0]!));
  const done = runPass(rewritePass(), state);
  return { state, done, names: opsOf(done.module).map(({ name }) => name) };
}

const v = [1, 2, 3, 4];
const given: Readonly<Record<string, readonly number[]>> = {
  reciprocal: v.map((x) => 1 / x),
  rsqrt: v.map((x) => 1 / Math.sqrt(x)),
  "sqrt reciprocal": v.map((x) => 1 / Math.sqrt(x)),
  exp: v.map(Math.exp),
};

test.each([
  ["x / v", "reciprocal", ({ op }: Kit, x: string, d: string) => op("div", [x, d])],
  ["x · 1/v", "reciprocal", ({ op }: Kit, x: string, d: string) => op("mul", [x, op("reciprocal", [d])])],
  ["x · rsqrt(v)", "rsqrt", ({ op }: Kit, x: string, d: string) => op("mul", [op("rsqrt", [d]), x])],
  ["x / √v", "sqrt reciprocal", ({ op }: Kit, x: string, d: string) => op("div", [x, op("sqrt", [d])])],
  [
    "x / repeated v",
    "reciprocal",
    ({ op }: Kit, x: string, d: string) => op("div", [x, op("expand", [d], { shape: [3, 4] })]),
  ],
  ["x + e^v", "exp", ({ op }: Kit, x: string, d: string) => op("add", [x, op("exp", [d])])],
])("%s: who knows v computes %s of it in the clear", (_name, functions, build) => {
  const { state, done, names } = rewritten(build);
  expect(names.filter((name) => ["reciprocal", "rsqrt", "sqrt", "exp"].includes(name))).toEqual([]);
  const [own, ...others] = done.client.cuts.filter((cut) => cut.functions);
  expect(own).toMatchObject({ source: "v", functions: functions.split(" ") });
  expect(others).toEqual([]);

  const x = createNoise(5)(state.module.values.x!.type.shape);
  const inputs = new Map([
    ["x", x],
    ["v", tensor([4], v)],
  ]);
  const [before] = interpret(state.module, state.weights, inputs).values();
  const after = interpret(done.module, done.weights, inputs.set(own!.value, tensor([4], given[functions]!)));
  expect(largestDifference([...after.values()][0]!, before!)).toBeLessThan(1e-12);
});

test("a function of a secret stays", () => {
  const { names } = check((kit) => [kit.op("reciprocal", [positive(kit, secret(kit))])]);
  expect(names).toContain("reciprocal");
});

test.each([
  ["clip", (kit: Kit, root: string) => kit.op("clip", [root], { lo: 0.5 })],
  ["maximum", (kit: Kit, root: string) => kit.op("maximum", [kit.weight("c", "public", tensor([], [0.5])), root])],
])("x / %s(√v, ½) takes one inverse root", (_name, bound) => {
  const { names } = check((kit) => {
    const x = secret(kit);
    const sum = kit.op("reduce-sum", [kit.op("mul", [x, x])], { axes: [1], keepdims: true });
    const bounded = bound(kit, kit.op("sqrt", [sum]));
    return [kit.op("div", [x, kit.op("expand", [bounded], { shape: [3, 4] })])];
  });
  expect(names.slice(2, -1)).toEqual(["mul", "reduce-sum", "clip", "rsqrt", "expand", "mul"]);
});
