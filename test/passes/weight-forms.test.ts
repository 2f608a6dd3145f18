import { expect, test } from "vitest";
import { interpret } from "../../ir/interpret.ts";
import type { ValueId } from "../../ir/module.ts";
import type { Tensor, WeightStore } from "../../ir/tensor.ts";
import { isFixed } from "../../ir/type.ts";
import { split } from "../../passes/1-split/split.ts";
import { rewrite } from "../../passes/2-rewrite/index.ts";
import { type CalibrateOptions, calibrate } from "../../passes/4-quantize/calibrate.ts";
import { quantize } from "../../passes/4-quantize/index.ts";
import { defaultPrecision } from "../../passes/4-quantize/precision.ts";
import type { SplitState } from "../../passes/pass.ts";
import { codesOf, createNoise, diagnosticsOf, type Kit, largestDifference, model } from "./models.ts";

const precision = { ...defaultPrecision, significant: 13 };

const prepare = (build: (kit: Kit, x: ValueId) => ValueId, width = 8): SplitState => {
  const whole = model((kit) => [build(kit, kit.feature("x", [4, width]))]);
  return rewrite(split(whole, { reveal: whole.module.outputs.map((output) => ({ output, to: "client" })) }), {
    computes: () => true,
  });
};

const product = (size: number, width = 8): SplitState =>
  prepare(({ op, weight, noise }, x) => op("matmul", [x, weight("w", "server", noise([width, 4], size))]), width);

const inputsOf = (state: SplitState, seed: number): ReadonlyMap<ValueId, Tensor> =>
  new Map(state.module.inputs.map((id) => [id, createNoise(seed)(state.module.values[id]!.type.shape)]));

const quantized = (state: SplitState, weights: WeightStore = state.weights, how: Partial<CalibrateOptions> = {}) =>
  quantize(
    { ...state, weights },
    { calibration: calibrate(state, [inputsOf(state, 1)], { precision, ...how }), precision },
  );

const formOf = (state: SplitState, id = "w") => {
  const { element } = quantized(state).module.values[id]!.type;
  return isFixed(element) ? [element.width - element.scale, element.scale] : undefined;
};

const times = (weights: WeightStore, by: number): WeightStore =>
  new Map([...weights].map(([name, { shape, data }]) => [name, { shape, data: data.map((x) => x * by) }]));

test("a weight has as many significant bits as asked for, and never fewer fractional bits than the least", () => {
  // Bits before the point: a sign, and a bound of four times the public magnitude, at least 8.
  expect([3, 0.9, 0.1, 0.01, 1e-9, 60].map((size) => formOf(product(size)))).toEqual([
    [5, 12],
    [4, 13],
    [4, 16],
    [4, 19],
    [4, 19],
    [9, 12],
  ]);
});

test("the form follows public numbers alone, and a private weight within its bound changes nothing", () => {
  const state = product(0.1);
  const forms = [1, 0.01, 50].map((by) => quantized(state, times(state.weights, by)).module.values.w);
  expect(forms).toEqual([forms[0], forms[0], forms[0]]);
  expect(codesOf(() => quantized(state, times(state.weights, 100)))).toEqual(["MRL0504"]);
});

test("several weights beyond their bounds are one message, the farthest first", () => {
  const state = prepare(
    ({ op, weight, noise }, x) =>
      op("matmul", [
        op("matmul", [x, weight("a", "server", noise([8, 4], 0.1))]),
        weight("b", "server", noise([4, 4], 0.1)),
      ]),
    8,
  );
  const [found, ...others] = diagnosticsOf(() => quantized(state, times(state.weights, 100)));
  expect(others).toEqual([]);
  expect(found?.message).toMatch(
    /^2 weights leave their public bounds; most of all weight "model.[ab]": expected magnitudes/,
  );
  expect(found?.because?.[0]).toMatch(/^weight "model.[ab]": expected magnitudes below/);
});

test("a published bound takes the place of what is public, for scale and bound", () => {
  const state = product(0.1);
  const { w } = quantized(state, times(state.weights, 300), { published: new Map([["w", 32]]) }).module.values;
  expect(w).toMatchObject({ range: { lo: -32, hi: 32 }, type: { element: { width: 18, scale: 12 } } });
  expect(codesOf(() => quantized(state, times(state.weights, 400), { published: new Map([["w", 32]]) }))).toEqual([
    "MRL0504",
  ]);
});

test("a sum of 768 products is five times nearer than with 12 fractional bits", () => {
  const state = product(1 / Math.sqrt(768), 768);
  const inputs = inputsOf(state, 7);
  const exact = [...interpret(state.module, state.weights, inputs).values()][0]!;
  const errorWith = (how: typeof precision | typeof defaultPrecision): number => {
    const calibration = calibrate(state, [inputsOf(state, 1)], { precision: how });
    const { module, weights } = quantize(state, { calibration, precision: how });
    return largestDifference(exact, [...interpret(module, weights, inputs).values()][0]!);
  };
  expect(errorWith(defaultPrecision) / errorWith(precision)).toBeGreaterThan(5);
});

test("matrices that low-rank products use side by side have one scale", () => {
  const state = prepare(({ op, weight, noise }, x) => {
    const first = op("relu", [op("matmul", [x, weight("first", "server", noise([8, 8]))])]);
    const pairs = [0.5, 0.01].map((size, k) => {
      const low = op("matmul", [first, weight(`a${k}`, "server", noise([8, 2], 0.2))]);
      return op("matmul", [low, weight(`b${k}`, "server", noise([2, 4], size))]);
    });
    return op("add", pairs as [ValueId, ValueId]);
  });
  const { module, weights } = quantized(state);
  const scales = ["b0", "b1"].map((id) => module.values[id]!.type.element);
  expect(scales).toMatchObject([{ scale: 14 }, { scale: 14 }]);
  const inputs = inputsOf(state, 3);
  const [found, exact] = [interpret(module, weights, inputs), interpret(state.module, state.weights, inputs)];
  expect(largestDifference([...found.values()][0]!, [...exact.values()][0]!)).toBeLessThan(2 ** -10);
});

test("products stay below 2^53, where the interpreter is exact", () => {
  const state = prepare(({ op, weight, noise }, x) => {
    const first = op("relu", [op("matmul", [x, weight("first", "server", noise([8, 8]))])]);
    const low = op("matmul", [first, weight("a", "server", noise([8, 2], 1e-4))]);
    return op("matmul", [low, weight("b", "server", noise([2, 4], 1e-4))]);
  });
  const { module, weights } = quantized(state);
  expect(["a", "b"].map((id) => module.values[id]!.type.element)).toMatchObject([{ scale: 18 }, { scale: 18 }]);
  expect(() => interpret(module, weights, inputsOf(state, 3))).not.toThrow();
});
