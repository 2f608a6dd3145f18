import { describe, expect, it } from "vitest";
import { type DecodeStep, deriveDecodeStep } from "../../../compiler/decode/decode-step.ts";
import { interpret, interpretRaw } from "../../../ir/interpret.ts";
import { type Module, opsOf, type ValueId } from "../../../ir/module.ts";
import type { Tensor, WeightStore } from "../../../ir/tensor.ts";
import { parse } from "../../../ir/text/parse.ts";
import { print } from "../../../ir/text/print.ts";
import { isFixed } from "../../../ir/type.ts";
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

interface RunResult {
  readonly raw: Tensor;
  readonly seen: ReadonlyMap<ValueId, Tensor>;
}

/** The first output as the module holds it, and every value as a real number. */
function run(module: Module, weights: WeightStore, inputs: ReadonlyMap<string, Tensor>, position?: number): RunResult {
  const seen = new Map<ValueId, Tensor>();
  const results = interpretRaw(module, weights, inputs, {
    ...(position !== undefined && { position }),
    observe: (id, value) => void seen.set(id, value),
  });
  return { raw: [...results.values()][0]!, seen };
}

/** Keys and values as attention reads them: its operands 1 and 2, whatever truncated them. */
const readBy = (module: Module, name: string): ValueId => {
  const op = opsOf(module).find(({ result }) => result === name.replace(/\.(key|value)$/, ""))!;
  return op.operands[name.endsWith(".key") ? 1 : 2]!;
};

/** The window at once, and then position by position after the prompt: rows of the output, pair by pair. */
function chain(
  finish: (state: SplitState, cached?: DecodeStep["cached"]) => SplitState,
): readonly (readonly [Tensor, Tensor])[] {
  const state = secure(decoder());
  const x = createNoise(5)([1, length, width], 2);
  const whole = finish(state);
  const window = run(whole.module, state.weights, new Map([["x", x]]));
  const { cached } = derive(state);
  const cache = new Map(
    [...cached.keys()].map((name) => [name, rows(window.seen.get(readBy(whole.module, name))!, 2, 0, prompt)]),
  );
  return Array.from({ length: length - prompt }, (_, k) => {
    const position = prompt + k;
    const { module } = finish(derive(state, position).state, cached);
    expect(verify(module)).toEqual([]);
    const step = run(module, state.weights, new Map([["x", rows(x, 1, position, position + 1)], ...cache]), position);
    for (const [name, before] of cache) cache.set(name, concatPositions(before, step.seen.get(readBy(module, name))!));
    return [rows(window.raw, 1, position, position + 1), step.raw] as const;
  });
}

describe("a causal model position by position", () => {
  it("gives the rows of its window", () => {
    for (const [expected, found] of chain((state) => state)) {
      expect(found.shape).toEqual(expected.shape);
      found.data.forEach((value, k) => void expect(value).toBeCloseTo(expected.data[k]!, 9));
    }
  });

  it("gives exactly the integers of its window in fixed point", () => {
    const state = secure(decoder());
    const calibration = calibrate(state, [new Map([["x", createNoise(5)([1, length, width], 2)]])]);
    const pairs = chain((each, kept) =>
      quantize(each, { calibration: kept ? withCachedRanges(calibration, kept) : calibration }),
    );
    for (const [expected, found] of pairs) expect(found.data).toEqual(expected.data);
  });

  it("gives several positions at once, with and without earlier ones", () => {
    const state = secure(decoder());
    const x = createNoise(5)([1, length, width], 2);
    const seen = new Map<ValueId, Tensor>();
    const whole = interpret(state.module, state.weights, new Map([["x", x]]), {
      observe: (id, value) => void seen.set(id, value),
    });
    for (const [index, count] of [
      [0, 3],
      [2, 2],
      [2, 4],
    ] as const) {
      const { state: more, axes, cached: kept } = derive(state, index, count);
      const past = [...kept].map(([name, id]) => [name, rows(seen.get(id)!, 2, 0, index)] as const);
      const given = new Map([["x", rows(x, 1, index, index + count)], ...past]);
      for (const [id, { shape, data }] of interpret(more.module, state.weights, given, { position: index })) {
        const wanted = rows(whole.get(id)!, axes.get(id)!, index, index + count);
        expect(shape).toEqual(wanted.shape);
        data.forEach((value, at) => void expect(value).toBeCloseTo(wanted.data[at]!, 10));
      }
      expect(parse(print(more.module))).toEqual(more.module);
    }
  });

  it("reads keys and values of earlier positions, and one row of every table of positions", () => {
    const { state, axes, cached: kept } = derive(secure(decoder()));
    const { module } = state;
    const inputs = module.inputs.filter((id) => module.values[id]!.type.sharing === "masked");
    expect(inputs).toEqual([...kept.keys()]);
    expect(inputs.map((id) => module.values[id]!.type.shape)).toEqual(new Array(4).fill([1, 1, length - 1, depth]));
    expect(Object.values(module.positionRows!)).toEqual(
      expect.arrayContaining([
        { axis: 2, rows: length },
        { axis: 1, rows: length },
      ]),
    );
    expect(["x", module.outputs[0]!].map((id) => axes.get(id))).toEqual([1, 1]);
    expect(opsOf(module).filter(({ name }) => name === "cached-attention")).toHaveLength(2);
  });

  it("parses back from its text", () => {
    const { module } = derive(secure(decoder())).state;
    expect(parse(print(module))).toEqual(module);
    expect(print(module)).toContain(`= "model.cos" at position { axis = 2, rows = ${length} }`);
  });

  it("is refused as a text or a run without the row", () => {
    const { state } = derive(secure(decoder()));
    const text = print(state.module);
    expect(() => parse(text.replace("  param", `  param %whole : public f32[1] = "model.cos"\n  param`))).toThrow(
      "as on another param",
    );
    expect(() => parse(text.replaceAll("at position", "at row"))).toThrow("expected position, found row");
    expect(() => parse(text.replaceAll("{ axis = 2, rows = 6 }", "{ axis = 2 }"))).toThrow(
      "expected position { axis = number, rows = number }",
    );
    const [first] = verify(parse(text.replaceAll("{ axis = 2, rows = 6 }", "{ axis = 3, rows = 3 }")));
    expect(first?.message).toContain("rows along axis 3 of the weight");
    const inputs = new Map(state.module.inputs.map((id) => [id, createNoise(1)(state.module.values[id]!.type.shape)]));
    expect(() => interpretRaw(state.module, state.weights, inputs)).toThrow(
      "expected a position from 0 to 5, found none",
    );
  });

  it("keeps the window's scales and bounds of keys and values", () => {
    const state = secure(decoder());
    const calibration = calibrate(state, [new Map([["x", createNoise(5)([1, length, width], 2)]])]);
    const one = derive(state);
    const [whole, step] = [
      quantize(state, { calibration }).module,
      quantize(one.state, { calibration: withCachedRanges(calibration, one.cached) }).module,
    ];
    for (const name of one.cached.keys()) {
      const [window, kept] = [whole.values[readBy(whole, name)]!, step.values[name]!];
      const scale = ({ element }: typeof kept.type): number => (isFixed(element) ? element.scale : Number.NaN);
      expect(scale(kept.type)).toBe(scale(window.type));
      expect(kept.range).toEqual(window.range);
    }
  });
});

describe("a model that mixes positions", () => {
  const refused = (build: (kit: Kit, x: ValueId) => ValueId): string => {
    const state = secure(
      model((kit) => {
        const { op, weight, noise, feature } = kit;
        const x = op("matmul", [feature("x", [1, length, width]), weight("w", "server", noise([width, width]))]);
        return [build(kit, x)];
      }),
    );
    const made = deriveDecodeStep(state, { contextLength: length });
    return "code" in made ? made.message : "derived";
  };
  const sides = ({ op }: Kit, x: ValueId): ValueId =>
    op("transpose", [op("reshape", [x], { shape: [1, length, heads, depth] })], { perm: [0, 2, 1, 3] });

  it.each<[string, (kit: Kit, x: ValueId) => ValueId]>([
    ["a sum over places", ({ op }, x) => op("reduce-sum", [x], { axes: [1], keepdims: true })],
    [
      "the last place alone",
      ({ op }, x) => op("slice", [x], { starts: [0, 5, 0], ends: [1, 6, width], steps: [1, 1, 1] }),
    ],
    [
      "a product over places",
      ({ op, weight, noise }, x) => op("matmul", [weight("m", "public", noise([length, length])), x]),
    ],
    ["softmax over places", ({ op }, x) => op("softmax", [x], { axis: 1 })],
    [
      "attention that sees what comes",
      (kit, x) => {
        const y = sides(kit, x);
        return kit.op("attention", [y, y, y], { scale: 1, causal: false });
      },
    ],
    ["a reshape across places", ({ op }, x) => op("reshape", [x], { shape: [1, length / 2, width * 2] })],
    [
      "one weight whole and by rows",
      ({ op, weight, noise }, x) => {
        const table = weight("t", "public", noise([length, width]));
        const low = op("matmul", [x, weight("low", "public", noise([width, length]))]);
        return op("add", [op("add", [x, table]), op("matmul", [low, table])]);
      },
    ],
  ])("is refused with the reason: %s", (_, build) => {
    expect(refused(build)).toMatch(/^the model cannot be run position by position: /);
  });
});
