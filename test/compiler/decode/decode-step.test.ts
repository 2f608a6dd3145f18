import { describe, expect, it } from "vitest";
import { type DecodeStep, deriveDecodeStep } from "../../../compiler/decode/decode-step.ts";
import { interpret, interpretRaw } from "../../../ir/interpret.ts";
import { type Module, opsOf, type ValueId } from "../../../ir/module.ts";
import type { Tensor, WeightStore } from "../../../ir/tensor.ts";
import { parse } from "../../../ir/text/parse.ts";
import { print } from "../../../ir/text/print.ts";
import { isFixed, type TensorType } from "../../../ir/type.ts";
import { verify } from "../../../ir/verify.ts";
import { calibrate } from "../../../passes/4-quantize/calibrate.ts";
import { withCachedRanges } from "../../../passes/4-quantize/calibration-types.ts";
import { quantize } from "../../../passes/4-quantize/index.ts";
import type { SplitState } from "../../../passes/pass.ts";
import {
  concatPositions,
  decoder,
  depth,
  derive,
  heads,
  length,
  prompt,
  rows,
  secure,
  width,
} from "../../passes/decoder-model.ts";
import { createNoise, type Kit, model } from "../../passes/models.ts";

const features = createNoise(5)([1, length, width], 2);

interface RunResult {
  /** The first output as the module holds it. */
  readonly raw: Tensor;
  /** Every value as a real number. */
  readonly seen: ReadonlyMap<ValueId, Tensor>;
}

function run(module: Module, weights: WeightStore, inputs: ReadonlyMap<string, Tensor>, position?: number): RunResult {
  const seen = new Map<ValueId, Tensor>();
  const results = interpretRaw(module, weights, inputs, {
    ...(position !== undefined && { position }),
    observe: (id, value) => void seen.set(id, value),
  });
  return { raw: [...results.values()][0]!, seen };
}

/** The keys or values of a cache's name as attention reads them: its operands 1 and 2, whatever truncated them. */
const readByAttention = (module: Module, name: string): ValueId => {
  const attention = opsOf(module).find(({ result }) => result === name.replace(/\.(key|value)$/, ""))!;
  return attention.operands[name.endsWith(".key") ? 1 : 2]!;
};

/** Row of features or outputs at a position. */
const rowAt = (x: Tensor, position: number): Tensor => rows(x, 1, position, position + 1);

/** What a test does with a state before it runs; for a step, with what the step reads from its cache. */
type Finish = (state: SplitState, cached?: DecodeStep["cached"]) => SplitState;

interface PositionRun {
  /** The row of the window's output. */
  readonly expected: Tensor;
  /** The output of the step. */
  readonly found: Tensor;
  /** What is wrong with the module of the step. */
  readonly faults: ReturnType<typeof verify>;
}

/** The window at once, and then position by position after the prompt with the cache that grows. */
function runByPosition(finish: Finish): readonly PositionRun[] {
  const state = secure(decoder());
  const { cached } = derive(state);
  const whole = finish(state).module;
  const window = run(whole, state.weights, new Map([["x", features]]));
  const cache = new Map<string, Tensor>();
  for (const name of cached.keys()) {
    const ofWindow = window.seen.get(readByAttention(whole, name))!;
    cache.set(name, rows(ofWindow, 2, 0, prompt));
  }

  const positions = Array.from({ length: length - prompt }, (_, k) => prompt + k);
  return positions.map((position) => {
    const { module } = finish(derive(state, position).state, cached);
    const inputs = new Map([["x", rowAt(features, position)], ...cache]);
    const step = run(module, state.weights, inputs, position);
    for (const [name, before] of cache) {
      const added = step.seen.get(readByAttention(module, name))!;
      cache.set(name, concatPositions(before, added));
    }
    return { expected: rowAt(window.raw, position), found: step.raw, faults: verify(module) };
  });
}

/** Every number of a tensor is that of another, to a number of digits. */
function expectClose(found: Tensor, expected: Tensor, digits: number): void {
  expect(found.shape).toEqual(expected.shape);
  found.data.forEach((value, at) => void expect(value).toBeCloseTo(expected.data[at]!, digits));
}

describe("a causal model position by position", () => {
  it("gives the rows of its window", () => {
    const asItIs: Finish = (state) => state;

    const steps = runByPosition(asItIs);

    expect(steps).toHaveLength(length - prompt);
    for (const { expected, found, faults } of steps) {
      expect(faults).toEqual([]);
      expectClose(found, expected, 9);
    }
  });

  it("gives exactly the integers of its window in fixed point", () => {
    const calibration = calibrate(secure(decoder()), [new Map([["x", features]])]);
    const inFixedPoint: Finish = (state, cached) =>
      quantize(state, { calibration: cached ? withCachedRanges(calibration, cached) : calibration });

    const steps = runByPosition(inFixedPoint);

    expect(steps).toHaveLength(length - prompt);
    for (const { expected, found, faults } of steps) {
      expect(faults).toEqual([]);
      expect(found.data).toEqual(expected.data);
    }
  });

  it.each([
    { past: 0, count: 3 },
    { past: 2, count: 2 },
    { past: 2, count: 4 },
  ])("gives $count positions at once after $past earlier ones", ({ past, count }) => {
    const state = secure(decoder());
    const seen = new Map<ValueId, Tensor>();
    const window = interpret(state.module, state.weights, new Map([["x", features]]), {
      observe: (id, value) => void seen.set(id, value),
    });
    const step = derive(state, past, count);
    const inputs = new Map([["x", rows(features, 1, past, past + count)]]);
    for (const [name, id] of step.cached) inputs.set(name, rows(seen.get(id)!, 2, 0, past));

    const outputs = interpret(step.state.module, state.weights, inputs, { position: past });

    for (const [id, found] of outputs) {
      const expected = rows(window.get(id)!, step.axes.get(id)!, past, past + count);
      expectClose(found, expected, 10);
    }
    expect(parse(print(step.state.module))).toEqual(step.state.module);
  });

  it("keeps the window's scales and bounds of keys and values", () => {
    const state = secure(decoder());
    const calibration = calibrate(state, [new Map([["x", features]])]);
    const step = derive(state);
    const scaleOf = ({ element }: TensorType): number => (isFixed(element) ? element.scale : Number.NaN);

    const window = quantize(state, { calibration }).module;
    const quantized = quantize(step.state, { calibration: withCachedRanges(calibration, step.cached) }).module;

    for (const name of step.cached.keys()) {
      const ofWindow = window.values[readByAttention(window, name)]!;
      const ofStep = quantized.values[name]!;
      expect(scaleOf(ofStep.type)).toBe(scaleOf(ofWindow.type));
      expect(ofStep.range).toEqual(ofWindow.range);
    }
  });
});

describe("the module of one position", () => {
  it("reads keys and values of earlier positions", () => {
    const { state, cached } = derive(secure(decoder()));
    const { module } = state;

    const maskedInputs = module.inputs.filter((id) => module.values[id]!.type.sharing === "masked");

    const earlierPositions = [1, 1, length - 1, depth];
    expect(maskedInputs).toEqual([...cached.keys()]);
    expect(maskedInputs.map((id) => module.values[id]!.type.shape)).toEqual(new Array(4).fill(earlierPositions));
    expect(opsOf(module).filter(({ name }) => name === "cached-attention")).toHaveLength(2);
  });

  it("reads one row of every table of positions", () => {
    const { module } = derive(secure(decoder())).state;

    const tables = Object.values(module.positionRows!);

    expect(tables).toContainEqual({ axis: 2, rows: length });
    expect(tables).toContainEqual({ axis: 1, rows: length });
  });

  it("has the positions of its input and output along axis 1", () => {
    const { state, axes } = derive(secure(decoder()));
    const [output] = state.module.outputs;

    expect(axes.get("x")).toBe(1);
    expect(axes.get(output!)).toBe(1);
  });

  it("parses back from its text", () => {
    const { module } = derive(secure(decoder())).state;

    const text = print(module);

    expect(parse(text)).toEqual(module);
    expect(text).toContain(`= "model.cos" at position { axis = 2, rows = ${length} }`);
  });
});

describe("a text or a run without the row of a position", () => {
  const { state } = derive(secure(decoder()));
  const text = print(state.module);

  it("is refused where a param takes the whole table as well", () => {
    const twice = text.replace("  param", `  param %whole : public f32[1] = "model.cos"\n  param`);

    expect(() => parse(twice)).toThrow("as on another param");
  });

  it("is refused where another word stands for position", () => {
    const misspelt = text.replaceAll("at position", "at row");

    expect(() => parse(misspelt)).toThrow("expected position, found row");
  });

  it("is refused where the number of rows is missing", () => {
    const withoutRows = text.replaceAll("{ axis = 2, rows = 6 }", "{ axis = 2 }");

    expect(() => parse(withoutRows)).toThrow("expected position { axis = number, rows = number }");
  });

  it("is refused where the weight has no such rows", () => {
    const otherAxis = text.replaceAll("{ axis = 2, rows = 6 }", "{ axis = 3, rows = 3 }");

    const [first] = verify(parse(otherAxis));

    expect(first?.message).toContain("rows along axis 3 of the weight");
  });

  it("is refused when it runs without a position", () => {
    const { inputs: ids, values } = state.module;
    const inputs = new Map(ids.map((id) => [id, createNoise(1)(values[id]!.type.shape)]));

    expect(() => interpretRaw(state.module, state.weights, inputs)).toThrow(
      "expected a position from 0 to 5, found none",
    );
  });
});

describe("a model that mixes positions", () => {
  /** Puts something after x, which has a row for each position. */
  type Build = (kit: Kit, x: ValueId) => ValueId;

  const modelWith = (build: Build): SplitState =>
    secure(
      model((kit) => {
        const { op, weight, noise, feature } = kit;
        const x = op("matmul", [feature("x", [1, length, width]), weight("w", "server", noise([width, width]))]);
        return [build(kit, x)];
      }),
    );

  const sumOverPositions: Build = ({ op }, x) => op("reduce-sum", [x], { axes: [1], keepdims: true });
  const lastPositionAlone: Build = ({ op }, x) =>
    op("slice", [x], { starts: [0, 5, 0], ends: [1, 6, width], steps: [1, 1, 1] });
  const productOverPositions: Build = ({ op, weight, noise }, x) =>
    op("matmul", [weight("m", "public", noise([length, length])), x]);
  const softmaxOverPositions: Build = ({ op }, x) => op("softmax", [x], { axis: 1 });
  const attentionToLaterPositions: Build = ({ op }, x) => {
    const split = op("reshape", [x], { shape: [1, length, heads, depth] });
    const y = op("transpose", [split], { perm: [0, 2, 1, 3] });
    return op("attention", [y, y, y], { scale: 1, causal: false });
  };
  const reshapeAcrossPositions: Build = ({ op }, x) => op("reshape", [x], { shape: [1, length / 2, width * 2] });
  const weightWholeAndByRows: Build = ({ op, weight, noise }, x) => {
    const table = weight("t", "public", noise([length, width]));
    const low = op("matmul", [x, weight("low", "public", noise([width, length]))]);
    return op("add", [op("add", [x, table]), op("matmul", [low, table])]);
  };

  it.each([
    { what: "a sum over positions", build: sumOverPositions },
    { what: "the last position alone", build: lastPositionAlone },
    { what: "a product over positions", build: productOverPositions },
    { what: "softmax over positions", build: softmaxOverPositions },
    { what: "attention that sees what comes", build: attentionToLaterPositions },
    { what: "a reshape across positions", build: reshapeAcrossPositions },
    { what: "one weight whole and by rows", build: weightWholeAndByRows },
  ])("is refused with the reason: $what", ({ build }) => {
    const state = modelWith(build);

    const made = deriveDecodeStep(state, { contextLength: length });

    const message = "code" in made ? made.message : "derived";
    expect(message).toMatch(/^the model cannot be run position by position: /);
    expect(made).toMatchObject({ code: "MRL0306", help: expect.stringContaining("no action is needed") });
  });
});
