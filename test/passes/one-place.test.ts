import { describe, expect, it } from "vitest";
import { interpretRaw } from "../../ir/interpret.ts";
import { type Module, opsOf, type ValueId } from "../../ir/module.ts";
import { parse } from "../../ir/text/parse.ts";
import { print } from "../../ir/text/print.ts";
import { isFixed } from "../../ir/type.ts";
import { verify } from "../../ir/verify.ts";
import { type Tensor, tensor, type WeightStore } from "../../ir/weights.ts";
import { split } from "../../passes/1-split/index.ts";
import { rewritePass } from "../../passes/2-rewrite/index.ts";
import { type OnePlace, onePlace } from "../../passes/2-rewrite/one-place.ts";
import { calibrate, quantize, withKept } from "../../passes/4-quantize/index.ts";
import { runPass, type SplitState } from "../../passes/pass.ts";
import { createNoise, type Kit, type Model, model } from "./models.ts";

const [length, width, heads, depth] = [6, 8, 2, 4];
const prompt = 2;

/** Two layers of causal attention with rotary and learned positions, grouped keys, norms and a gated layer. */
function decoder(): Model {
  return model((kit) => {
    const { op, weight, noise, feature } = kit;
    const table = (id: string): ValueId => weight(id, "public", noise([1, 1, length, depth]));
    const [cos, sin] = [table("cos"), table("sin")];
    const positions = weight("positions", "server", noise([1, length, width]));
    let x = op("add", [feature("x", [1, length, width]), positions]);
    for (const layer of ["a", "b"]) x = layerOf(kit, layer, x, cos, sin);
    const head = op("matmul", [op("rms-norm", [x], { epsilon: 1e-5 }), weight("head", "public", noise([width, 5]))]);
    return [head];
  });
}

function layerOf({ op, weight, noise }: Kit, layer: string, x: ValueId, cos: ValueId, sin: ValueId): ValueId {
  const dense = (name: string, from: ValueId, to: number, size: number): ValueId =>
    op("matmul", [from, weight(`${layer}.${name}`, "server", noise([size, to], 0.5))]);
  const normed = op("rms-norm", [x], { epsilon: 1e-5 });
  const side = (name: string, count: number): ValueId => {
    const split = op("reshape", [dense(name, normed, count * depth, width)], { shape: [1, length, count, depth] });
    return op("transpose", [split], { perm: [0, 2, 1, 3] });
  };
  const q = op("rope", [side("q", heads), cos, sin]);
  const k = op("rope", [side("k", 1), cos, sin]);
  const mixed = op("attention", [q, k, side("v", 1)], { scale: 0.5, causal: true });
  const flat = op("reshape", [op("transpose", [mixed], { perm: [0, 2, 1, 3] })], { shape: [1, length, width] });
  const after = op("add", [x, dense("o", flat, width, width)]);
  const inner = op("mul", [op("silu", [dense("gate", after, 12, width)]), dense("up", after, 12, width)]);
  return op("add", [after, dense("down", inner, width, 12)]);
}

const secure = (whole: Model): SplitState =>
  runPass(
    rewritePass(),
    split(whole, { reveal: whole.module.outputs.map((output) => ({ output, to: "client" as const })) }),
  );

function derive(state: SplitState, past?: number): OnePlace {
  const made = onePlace(state, { length, ...(past !== undefined && { past }) });
  if ("code" in made) throw new Error(made.message);
  return made;
}

/** Rows from…to along an axis. */
function rows({ shape, data }: Tensor, axis: number, from: number, to: number): Tensor {
  const inner = shape.slice(axis + 1).reduce((a, b) => a * b, 1);
  const outer = data.length / (shape[axis]! * inner);
  const parts = Array.from({ length: outer }, (_, k) =>
    Array.from(data.subarray((k * shape[axis]! + from) * inner, (k * shape[axis]! + to) * inner)),
  );
  return tensor(shape.with(axis, to - from), parts.flat());
}

const below = (a: Tensor, b: Tensor): Tensor => {
  const groups = a.shape[1]!;
  const part = (t: Tensor, k: number): number[] => {
    const size = t.data.length / groups;
    return Array.from(t.data.subarray(k * size, (k + 1) * size));
  };
  const data = Array.from({ length: groups }, (_, k) => [...part(a, k), ...part(b, k)]).flat();
  return tensor(a.shape.with(2, a.shape[2]! + b.shape[2]!), data);
};

interface Ran {
  readonly raw: Tensor;
  readonly seen: ReadonlyMap<ValueId, Tensor>;
}

/** The first output as the module holds it, and every value as a real number. */
function run(module: Module, weights: WeightStore, inputs: ReadonlyMap<string, Tensor>, place?: number): Ran {
  const seen = new Map<ValueId, Tensor>();
  const results = interpretRaw(module, weights, inputs, {
    ...(place !== undefined && { place }),
    observe: (id, value) => void seen.set(id, value),
  });
  return { raw: [...results.values()][0]!, seen };
}

/** Keys and values as attention reads them: its operands 1 and 2, whatever truncated them. */
const readBy = (module: Module, name: string): ValueId => {
  const op = opsOf(module).find(({ result }) => result === name.replace(/\.(key|value)$/, ""))!;
  return op.operands[name.endsWith(".key") ? 1 : 2]!;
};

/** The window at once, and then place by place from the prompt on: rows of the output, pair by pair. */
function chain(
  finish: (state: SplitState, kept?: OnePlace["kept"]) => SplitState,
): readonly (readonly [Tensor, Tensor])[] {
  const state = secure(decoder());
  const x = createNoise(5)([1, length, width], 2);
  const whole = finish(state);
  const window = run(whole.module, state.weights, new Map([["x", x]]));
  const { kept } = derive(state);
  const cache = new Map(
    [...kept.keys()].map((name) => [name, rows(window.seen.get(readBy(whole.module, name))!, 2, 0, prompt)]),
  );
  return Array.from({ length: length - prompt }, (_, k) => {
    const place = prompt + k;
    const { module } = finish(derive(state, place).state, kept);
    expect(verify(module)).toEqual([]);
    const step = run(module, state.weights, new Map([["x", rows(x, 1, place, place + 1)], ...cache]), place);
    for (const [name, before] of cache) cache.set(name, below(before, step.seen.get(readBy(module, name))!));
    return [rows(window.raw, 1, place, place + 1), step.raw] as const;
  });
}

describe("a causal model place by place", () => {
  it("gives the rows of its window", () => {
    for (const [expected, found] of chain((state) => state)) {
      expect(found.shape).toEqual(expected.shape);
      found.data.forEach((value, k) => void expect(value).toBeCloseTo(expected.data[k]!, 9));
    }
  });

  it("gives the very integers of its window once it is in fixed point", () => {
    const state = secure(decoder());
    const calibration = calibrate(state, [new Map([["x", createNoise(5)([1, length, width], 2)]])]);
    const pairs = chain((each, kept) =>
      quantize(each, { calibration: kept ? withKept(calibration, kept) : calibration }),
    );
    for (const [expected, found] of pairs) expect(found.data).toEqual(expected.data);
  });

  it("reads keys and values of earlier places, and one row of every table of positions", () => {
    const { state, axes, kept } = derive(secure(decoder()));
    const { module } = state;
    const inputs = module.inputs.filter((id) => module.values[id]!.type.sharing === "wire");
    expect(inputs).toEqual([...kept.keys()]);
    expect(inputs.map((id) => module.values[id]!.type.shape)).toEqual(new Array(4).fill([1, 1, length - 1, depth]));
    expect(Object.values(module.placed!)).toEqual(
      expect.arrayContaining([
        { axis: 2, rows: length },
        { axis: 1, rows: length },
      ]),
    );
    expect([...axes]).toEqual([
      ["x", 1],
      [module.outputs[0], 1],
    ]);
    expect(opsOf(module).filter(({ name }) => name === "cached-attention")).toHaveLength(2);
  });

  it("is a text that reads back", () => {
    const { module } = derive(secure(decoder())).state;
    expect(parse(print(module))).toEqual(module);
    expect(print(module)).toContain(`= "model.cos" at place { axis = 2, rows = ${length} }`);
  });

  it("is refused as a text or a run that does not say which row", () => {
    const { state } = derive(secure(decoder()));
    const text = print(state.module);
    expect(() => parse(text.replace("  param", `  param %whole : public f32[1] = "model.cos"\n  param`))).toThrow(
      "as another param",
    );
    expect(() => parse(text.replaceAll("at place", "at row"))).toThrow("expected place, found row");
    expect(() => parse(text.replaceAll("{ axis = 2, rows = 6 }", "{ axis = 2 }"))).toThrow("both numbers");
    const [first] = verify(parse(text.replaceAll("{ axis = 2, rows = 6 }", "{ axis = 3, rows = 6 }")));
    expect(first?.message).toContain("expected one row along axis 3");
    const inputs = new Map(state.module.inputs.map((id) => [id, createNoise(1)(state.module.values[id]!.type.shape)]));
    expect(() => interpretRaw(state.module, state.weights, inputs)).toThrow("expected a place from 0 to 5, found none");
  });

  it("keeps scales and bounds of keys and values as the window has them", () => {
    const state = secure(decoder());
    const calibration = calibrate(state, [new Map([["x", createNoise(5)([1, length, width], 2)]])]);
    const one = derive(state);
    const [whole, step] = [
      quantize(state, { calibration }).module,
      quantize(one.state, { calibration: withKept(calibration, one.kept) }).module,
    ];
    for (const name of one.kept.keys()) {
      const [window, kept] = [whole.values[readBy(whole, name)]!, step.values[name]!];
      const scale = ({ element }: typeof kept.type): number => (isFixed(element) ? element.scale : Number.NaN);
      expect(scale(kept.type)).toBe(scale(window.type));
      expect(kept.range).toEqual(window.range);
    }
  });
});

describe("a model that mixes places", () => {
  const refused = (build: (kit: Kit, x: ValueId) => ValueId): string => {
    const state = secure(
      model((kit) => {
        const { op, weight, noise, feature } = kit;
        const x = op("matmul", [feature("x", [1, length, width]), weight("w", "server", noise([width, width]))]);
        return [build(kit, x)];
      }),
    );
    const made = onePlace(state, { length });
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
    expect(refused(build)).toMatch(/^the model cannot be run place by place: /);
  });
});
