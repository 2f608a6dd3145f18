import { expect, test } from "vitest";
import { interpret } from "../../ir/interpret.ts";
import { type Module, type Op, opsOf, type ValueId } from "../../ir/module.ts";
import { scalar, type Tensor, tensor, type WeightStore } from "../../ir/tensor.ts";
import { bool, f32, i64, isFixed, sizeOf } from "../../ir/type.ts";
import { type ImportState, split } from "../../passes/1-split/split.ts";
import { rewrite } from "../../passes/2-rewrite/index.ts";
import { calibrate } from "../../passes/4-quantize/calibrate.ts";
import { quantize, quantizePass } from "../../passes/4-quantize/index.ts";
import { publicForm } from "../../passes/4-quantize/param-forms.ts";
import { defaultPrecision } from "../../passes/4-quantize/precision.ts";
import { runPass, type SplitState } from "../../passes/pass.ts";
import { checkedWith } from "./checked-calibration.ts";
import { block, codesOf, createNoise, type Kit, largestDifference, type Model, model } from "./models.ts";

const prepare = (whole: ImportState): SplitState =>
  rewrite(split(whole, { reveal: whole.module.outputs.map((output) => ({ output, to: "client" })) }));

/** Inputs of the secure part, which the client computes from a random x. */
function cutsOf(whole: Model, { module }: SplitState, seed: number): ReadonlyMap<ValueId, Tensor> {
  const noise = createNoise(seed);
  const inputs = whole.module.inputs.map((id): [ValueId, Tensor] => [id, noise(whole.module.values[id]!.type.shape)]);
  const cuts = new Map<ValueId, Tensor>();
  interpret(whole.module, whole.weights, new Map(inputs), {
    observe: (id, value) => module.inputs.includes(id) && cuts.set(id, value),
  });
  return cuts;
}

/** Public surrogates: B of a LoRA pair is zero, as before training. */
const surrogates = (weights: WeightStore): WeightStore =>
  new Map(
    [...weights].map(([name, value]) => [name, /\.B/.test(name) ? { ...value, data: value.data.map(() => 0) } : value]),
  );

/**
 * How far rounding can move the outputs, to first order: every rounded value moves by one unit of its own, and the
 * effect is measured on the float module. The moves are random, so the bound is three times the worst of several
 * trials: an output is a sum of many independent roundings, and three deviations cover it.
 */
function tolerance(float: SplitState, fixed: Module, inputs: ReadonlyMap<ValueId, Tensor>): number {
  const exact = outputOf(float.module, float.weights, inputs);
  const coarsest = new Map<ValueId, number>();
  for (const op of opsOf(fixed)) {
    const source = op.name === "truncate" ? op.operands[0]! : op.result;
    const { element } = fixed.values[op.result]!.type;
    if (isFixed(element)) coarsest.set(source, Math.min(coarsest.get(source) ?? 64, element.scale));
  }
  const noise = createNoise(99);
  const moved = (value: Tensor, scale: number | undefined): Tensor => {
    if (scale === undefined) return value;
    const by = noise(value.shape, 2 ** -scale);
    return { shape: value.shape, data: value.data.map((x, i) => x + by.data[i]!) };
  };
  const trials = Array.from({ length: 8 }, () => {
    const weights = new Map(float.weights);
    for (const [id, name] of Object.entries(float.module.params)) {
      const type = fixed.values[id]?.type;
      if (type && isFixed(type.element)) weights.set(name, moved(weights.get(name)!, type.element.scale));
    }
    return largestDifference(exact, outputOf(perturbed(float.module, coarsest, weights, moved), weights, inputs));
  });
  return 3 * Math.max(...trials);
}

/** The module with a term added to each value that is rounded. */
function perturbed(
  module: Module,
  scales: ReadonlyMap<ValueId, number>,
  weights: Map<string, Tensor>,
  moved: (value: Tensor, scale: number | undefined) => Tensor,
): Module {
  const values = { ...module.values };
  const params = { ...module.params };
  const renamed = new Map<ValueId, ValueId>();
  const steps = module.steps.flatMap(({ ops }) =>
    ops.flatMap((op): { ops: Op[] }[] => {
      const own = { ...op, operands: op.operands.map((id) => renamed.get(id) ?? id) };
      const { type } = values[op.result]!;
      if (op.name === "reveal" || !scales.has(op.result)) return [{ ops: [own] }];
      const [result, error] = [`${op.result}.moved`, `${op.result}.error`];
      values[result] = { type };
      values[error] = { type: { ...type, label: "public" } };
      params[error] = error;
      weights.set(
        error,
        moved({ shape: type.shape, data: new Float64Array(sizeOf(type.shape)) }, scales.get(op.result)),
      );
      renamed.set(op.result, result);
      return [{ ops: [own] }, { ops: [{ name: "add", operands: [op.result, error], result, attrs: {}, origin: "" }] }];
    }),
  );
  return { ...module, values, params, steps };
}

const outputOf = (module: Module, weights: WeightStore, inputs: ReadonlyMap<ValueId, Tensor>): Tensor =>
  [...interpret(module, weights, inputs).values()][0]!;

test.each([
  { rope: true },
  { rope: false },
  { normWeightLabel: "server" as const },
])("a quantized block computes the same up to rounding: %j", (options) => {
  const whole = block(options);
  const state = prepare(whole);
  const runs = [1, 2, 3].map((seed) => cutsOf(whole, state, seed));
  const calibration = calibrate({ ...state, weights: surrogates(state.weights) }, runs);
  const done = runPass(quantizePass({ calibration }), state);
  const inputs = cutsOf(whole, state, 17);
  const bound = tolerance(state, done.module, inputs);
  const error = largestDifference(
    outputOf(done.module, done.weights, inputs),
    outputOf(state.module, state.weights, inputs),
  );
  expect(error).toBeLessThan(bound);
  expect(bound).toBeLessThan(0.2);
});

test("ranges contain the values of other runs, and inner ranges are set", () => {
  const whole = block();
  const state = prepare(whole);
  const runs = [1, 2, 3].map((seed) => cutsOf(whole, state, seed));
  const calibration = calibrate({ ...state, weights: surrogates(state.weights) }, runs);
  interpret(state.module, state.weights, cutsOf(whole, state, 23), {
    observe: (id, { data }) => {
      const { lo, hi } = calibration.ranges.get(id)!;
      expect(Math.min(...data), id).toBeGreaterThanOrEqual(lo);
      expect(Math.max(...data), id).toBeLessThanOrEqual(hi);
    },
  });
  const { module } = quantize(state, { calibration });
  const attention = opsOf(module).find((op) => op.name === "attention")!;
  expect(attention.attrs.score_bound).toBeGreaterThan(0.5);
  expect(attention.attrs.score_bound).toBeLessThan(64);
  const norm = opsOf(module).find((op) => op.name === "rms-norm")!;
  expect(norm.attrs.sum_lo).toBeGreaterThan(0);
  expect(norm.attrs.sum_hi).toBeGreaterThan(norm.attrs.sum_lo as number);
});

const small = (build: (kit: Kit, x: ValueId) => ValueId): SplitState =>
  prepare(
    model((kit) => {
      const w = kit.weight("w", "server", kit.noise([4, 4], 0.5));
      return [build(kit, kit.op("matmul", [kit.feature("x", [2, 4]), w], {}, { result: "y", origin: "/y" }))];
    }),
  );

const listing = (module: Module): readonly string[] =>
  opsOf(module).map((op) => `${op.result} = ${op.name} ${op.operands}`);

function quantized(state: SplitState, weight = defaultPrecision.weight): Module {
  const noise = createNoise(5);
  const inputs = new Map(state.module.inputs.map((id) => [id, noise(state.module.values[id]!.type.shape)]));
  const precision = { ...defaultPrecision, weight };
  return runPass(quantizePass({ calibration: calibrate(state, [inputs], { precision }), precision }), state).module;
}

test("a value is truncated once for all its readers, and sums stay at double scale", () => {
  const module = quantized(
    small(({ op, weight, noise }, y) => {
      const sum = op("add", [y, weight("b", "server", noise([4]))], {}, { result: "sum" });
      const gate = op("silu", [sum], {}, { result: "gate" });
      return op("mul", [gate, sum], {}, { result: "z" });
    }),
  );
  expect(listing(module)).toEqual([
    "x.share = share x",
    "y = matmul x.share,w",
    "sum = add y,b",
    "sum.t = truncate sum",
    "gate = silu sum.t",
    "z.shared = mul gate,sum.t",
    // The product keeps eight bits more, which are rounded exactly before it is opened.
    "z.shared.t = truncate z.shared",
    "z = reveal z.shared.t",
  ]);
  expect(module.values.sum!.type.element).toMatchObject({ scale: 24 });
  expect(module.values.b!.type.element).toEqual({ kind: "fx", width: 28, scale: 24 });
  expect(module.values.w!.type.element).toEqual({ kind: "fx", width: 16, scale: 12 });
});

test("private weights keep their public bounds if factors have more fractional bits", () => {
  const state = small(({ op, weight }, y) => op("add", [y, weight("b", "server", tensor([4], [7, -7, 1, 0]))]));
  for (const weight of [12, 14]) {
    const { values } = quantized(state, weight);
    expect(values.w!.type.element).toEqual({ kind: "fx", width: 4 + weight, scale: weight });
    // Four times the public magnitude 7, as a power of two.
    expect(values.b!.type.element).toEqual({ kind: "fx", width: 6 + 12 + weight, scale: 12 + weight });
    expect(values.b!.range).toEqual({ lo: -32, hi: 32 });
  }
});

test("a param wanted in two forms becomes two params of one weight", () => {
  const module = quantized(
    small(({ op, weight, noise }, y) => {
      const b = weight("b", "public", noise([4]));
      return op("add", [op("silu", [op("add", [y, b])]), b]);
    }),
  );
  const scales = Object.keys(module.params)
    .filter((id) => module.params[id] === "model.b")
    .map((id) => module.values[id]!.type.element);
  // The activation keeps eight bits more, since its sum is opened.
  expect(scales).toMatchObject([{ scale: 24 }, { scale: 20 }]);
});

test("one-hot rows are shared as integers", () => {
  const state = prepare(
    model(({ op, weight, ids, noise }) => [op("gather", [weight("table", "server", noise([5, 4])), ids("t", [3])])]),
  );
  const { module } = quantize(state, {
    calibration: calibrate(state, [new Map([["t.one_hot", createNoise()([3, 5])]])]),
  });
  expect(module.values["t.one_hot.share"]!.type.element).toMatchObject({ scale: 0 });
});

test("a condition is shared as 0 or 1, whatever the samples and the margin", () => {
  const whole = model((kit) => {
    const c = kit.input("c", { label: "client", element: bool, shape: [1, 4] });
    const [zero, absent] = [0, -1e4].map((value) => kit.weight(`${value}`, "public", tensor([], [value])));
    const y = kit.op("matmul", [kit.feature("x", [2, 4]), kit.weight("w", "server", kit.noise([4, 4]))]);
    return [kit.op("add", [kit.op("where", [c, zero!, absent!]), y])];
  });
  // The condition is a tensor of the ONNX file, the selection is not.
  const sources = new Map(["x", "c", "logits"].map((id) => [id, id]));
  const state = prepare({ ...whole, sources });
  const samples = [
    new Map([...cutsOf(whole, state, 3)].map(([id, x]) => [id, id === "c" ? tensor([1, 4], [1, 0, 1, 1]) : x])),
  ];
  const { module } = quantize(state, { calibration: calibrate(state, samples, { margin: 64 }) });
  const condition = opsOf(module).find((op) => op.name === "share" && op.operands[0] === "c")!.result;
  expect(module.values[condition]).toMatchObject({ range: { lo: 0, hi: 1 }, type: { element: { scale: 0 } } });
  const chosen = opsOf(module).find((op) => op.operands.includes(condition))!;
  expect(module.values[chosen.result]!.range).toEqual({ lo: 0, hi: 1e4 });
});

test("a single number has only the fractional bits that it needs", () => {
  const form = (x: number) => publicForm(scalar(x), 12, "factor");
  expect([-1, 0.5, 1 / 64, 3].map((x) => form(x).scale)).toEqual([0, 1, 6, 0]);
  const third = form(1 / 3);
  expect(Math.abs(Math.round(2 ** third.scale / 3) / 2 ** third.scale - 1 / 3) * 3).toBeLessThanOrEqual(2 ** -13);
  expect(publicForm(tensor([2], [20.3, -1]), 12, "factor")).toEqual({ kind: "fx", width: 16, scale: 10 });
  expect(publicForm(tensor([2], [0.75, -1]), 12, "factor")).toMatchObject({ scale: 2 });
  expect(publicForm(tensor([3], [0, 1, 0]), 12, "factor")).toMatchObject({ scale: 0 });
});

test("without samples, interval analysis gives the bounds, or every unbounded value is refused", () => {
  const state = small(({ op }, y) => op("sigmoid", [y]));
  expect(codesOf(() => quantize(state, { calibration: calibrate(state, []) }))).toEqual([
    "MRL0501",
    "MRL0501",
    "MRL0501",
  ]);
  const { x } = state.module.values;
  const module = { ...state.module, values: { ...state.module.values, x: { ...x!, range: { lo: -1, hi: 1 } } } };
  const bounded = { ...state, module };
  expect(codesOf(() => quantize(bounded, { calibration: calibrate(bounded, []) }))).toEqual([]);
});

test("all operators that are not defined on secrets are refused at once", () => {
  const state = small(({ op }, y) => op("where", [op("is-nan", [y]), y, op("cumsum", [y], { axis: 0 })]));
  const codes = codesOf(() => quantized(state));
  expect(codes.length).toBeGreaterThan(0);
  expect(new Set(codes)).toEqual(new Set(["MRL0502"]));
});

test("a private weight that leaves its public form is reported to the provider", () => {
  const state = small((_kit, y) => y);
  const weights = new Map([...state.weights].map(([name, w]) => [name, { ...w, data: w.data.map((x) => x * 100) }]));
  const calibration = calibrate(state, [new Map([["x", createNoise()([2, 4])]])]);
  expect(codesOf(() => quantize({ ...state, weights }, { calibration }))).toEqual(["MRL0504"]);
  expect(defaultPrecision.weight).toBe(12);
});

test("a cut is shared at the coarsest scale that its readers want, also through layout operators", () => {
  const module = quantized(
    prepare(
      model(({ op, weight, feature, noise }) => {
        const x = feature("x", [1, 3, 4]);
        const k = op("relu", [x], {}, { result: "k" });
        const q = op("matmul", [x, weight("w", "server", noise([4, 4]))]);
        const [qs, ks] = [q, k].map((id) => op("reshape", [id], { shape: [1, 1, 3, 4] }));
        return [op("attention", [qs!, ks!, qs!], { scale: 1 })];
      }),
    ),
  );
  const scales = opsOf(module)
    .filter((op) => op.name === "share")
    .map((op) => module.values[op.result]!.type.element);
  expect(scales).toMatchObject([{ scale: 12 }, { scale: 8 }]);
});

test("public indices and shared inputs keep their types", () => {
  const whole = model(({ op, weight, input, noise }) => {
    const cache = input("cache", { label: "shared", element: f32, shape: [4, 4] });
    const rows = op("gather", [cache, weight("rows", "public", tensor([2], [3, 0]), i64)], { axis: 0 });
    return [op("matmul", [rows, weight("w", "server", noise([4, 4]))])];
  });
  const module = quantized(prepare(whole));
  expect(module.values.cache!.type).toMatchObject({ label: "shared", element: { scale: 12 } });
  expect(module.values.rows!.type.element).toEqual(i64);
  expect(opsOf(module).map((op) => op.name)).toEqual(["take-over", "gather", "matmul", "truncate", "reveal"]);
});

test("private values that leave the public bounds are reported to the provider", () => {
  const state = small(({ op }, y) => op("silu", [y]));
  const inputs = [new Map([["x", createNoise(5)([2, 4])]])];
  const louder = new Map([...state.weights].map(([name, w]) => [name, { ...w, data: w.data.map((x) => x * 8) }]));
  const calibration = calibrate(state, inputs);
  expect(checkedWith(state, inputs, calibration)).toEqual([]);
  const codes = checkedWith({ ...state, weights: louder }, inputs, calibration).map(({ code, at }) => `${code} ${at}`);
  expect(codes).toContain("MRL0505 /y");
});
