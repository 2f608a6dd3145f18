import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { canonicalize, recognisers } from "../../../compiler/onnx/canonical/index.ts";
import { type Builder, createBuilder } from "../../../ir/build.ts";
import { interpret } from "../../../ir/interpret.ts";
import { type Module, opsOf } from "../../../ir/module.ts";
import { bool, f32, sizeOf } from "../../../ir/type.ts";
import { verify } from "../../../ir/verify.ts";
import { type Tensor, tensor } from "../../../ir/weights.ts";
import { worst } from "./recorded.ts";

/** A module of the import stage with constants that recognisers may look at. */
interface Sketch {
  readonly builder: Builder;
  readonly x: (name: string, ...shape: number[]) => string;
  readonly constant: (value: number | Tensor) => string;
  readonly op: (name: string, ...operands: string[]) => string;
}

interface Made {
  readonly module: Module;
  readonly weights: ReadonlyMap<string, Tensor>;
}

function sketch(build: (sketch: Sketch) => string): Made {
  const builder = createBuilder("m", "import");
  const weights = new Map<string, Tensor>();
  const constant = (value: number | Tensor): string => {
    const data = typeof value === "number" ? tensor([], [value]) : value;
    const key = `constant:${weights.size}`;
    weights.set(key, data);
    return builder.param(`c${weights.size}`, { label: "public", element: f32, shape: data.shape }, key);
  };
  const x = (name: string, ...shape: number[]): string => builder.input(name, { label: "client", element: f32, shape });
  const op = (name: string, ...operands: string[]): string => builder.op(name, operands);
  builder.output(build({ builder, x, constant, op }));
  return { module: builder.finish(), weights };
}

/** Inputs in [−2, 2]; booleans as they fall, but with the first of each row set. */
function draw(module: Module, seed: number): ReadonlyMap<string, Tensor> {
  const [numbers] = fc.sample(
    fc.array(fc.double({ min: -2, max: 2, noNaN: true }), { minLength: 4000, maxLength: 4000 }),
    {
      numRuns: 1,
      seed,
    },
  );
  let at = 0;
  return new Map(
    module.inputs.map((id) => {
      const { element, shape } = module.values[id]!.type;
      const width = shape.at(-1)!;
      const data = Float64Array.from({ length: sizeOf(shape) }, (_, i) => {
        const value = numbers![at++ % 4000]!;
        return element.kind === "bool" ? Number(i % width === 0 || value > 0) : value;
      });
      return [id, { shape, data }];
    }),
  );
}

function countsOf(module: Module): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const { name } of opsOf(module)) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}

/** The operators left, once the module is seen to compute what it did. */
function settled({ module, weights }: Made): Readonly<Record<string, number>> {
  expect(verify(module)).toEqual([]);
  const after = canonicalize(module, weights);
  expect(verify(after.module)).toEqual([]);
  expect(canonicalize(after.module, after.weights).module).toEqual(after.module);
  for (const seed of [1, 2, 3]) {
    const inputs = draw(module, seed);
    const [before] = [...interpret(module, weights, inputs).values()];
    const [now] = [...interpret(after.module, after.weights, inputs).values()];
    expect(worst(now!, before!)).toBeLessThan(1e-6);
  }
  return countsOf(after.module);
}

const single = (value: number): number => Math.fround(value);

describe("norms", () => {
  const mean = (builder: Builder, x: string) => builder.op("reduce-mean", [x], { axes: [2], keepdims: true });
  const rms = (square: "pow" | "mul", root: "div" | "reciprocal" | "over" | "power") =>
    sketch(({ builder, x, constant, op }) => {
      const h = x("h", 1, 3, 8);
      const squared = square === "pow" ? op("pow", h, constant(2)) : op("mul", h, h);
      const sum = op("add", constant(1e-5), mean(builder, squared));
      const dev = op("sqrt", sum);
      if (root === "over") return op("div", h, dev);
      if (root === "power") return op("mul", op("pow", sum, constant(-0.5)), h);
      return op("mul", h, root === "div" ? op("div", constant(1), dev) : op("reciprocal", dev));
    });
  const forms = ["div", "reciprocal", "over", "power"] as const;
  it.each(forms)("finds the root mean square, %s", (root) => {
    for (const square of ["pow", "mul"] as const) expect(settled(rms(square, root))).toEqual({ "rms-norm": 1 });
  });

  it("finds the norm of what is centred", () => {
    const made = sketch(({ builder, x, constant, op }) => {
      const h = x("h", 1, 3, 8);
      const centred = op("sub", h, mean(builder, h));
      const dev = op("sqrt", op("add", mean(builder, op("pow", centred, constant(2))), constant(1e-5)));
      return op("add", op("mul", op("div", centred, dev), x("gain", 8)), x("bias", 8));
    });
    expect(settled(made)).toEqual({ "layer-norm": 1, mul: 1, add: 1 });
  });

  it("leaves what is only alike", () => {
    const made = sketch(({ builder, x, constant, op }) => {
      const h = x("h", 1, 3, 8);
      const other = builder.op("reduce-mean", [op("mul", h, h)], { axes: [1], keepdims: true });
      return op("mul", h, op("reciprocal", op("sqrt", op("add", other, constant(1e-5)))));
    });
    expect(settled(made)).toEqual({ mul: 2, "reduce-mean": 1, add: 1, rsqrt: 1 });
  });
});

describe("activations", () => {
  const gelu = (build: (sketch: Sketch, h: string) => string, product = false) =>
    sketch((s) => build(s, product ? s.op("mul", s.x("a", 2, 4), s.x("b", 2, 4)) : s.x("h", 2, 4)));
  const erf = ({ op, constant }: Sketch, h: string) =>
    op("add", op("erf", op("div", h, constant(single(Math.SQRT2)))), constant(1));
  const orders: readonly ((s: Sketch, h: string) => string)[] = [
    (s, h) => s.op("mul", s.op("mul", h, erf(s, h)), s.constant(0.5)),
    (s, h) => s.op("mul", s.op("mul", h, s.constant(0.5)), erf(s, h)),
    (s, h) => s.op("mul", h, s.op("mul", s.constant(0.5), erf(s, h))),
    (s, h) => s.op("div", s.op("mul", erf(s, h), h), s.constant(2)),
  ];
  it.each(orders)("finds gelu with erf, order %#", (order) => {
    expect(settled(gelu(order))).toEqual({ gelu: 1 });
    expect(settled(gelu(order, true))).toEqual({ mul: 1, gelu: 1 });
  });

  const root = single(Math.sqrt(2 / Math.PI));
  const cubes: readonly ((s: Sketch, h: string) => string)[] = [
    ({ op, constant }, h) => {
      const cube = op("mul", op("pow", h, constant(3)), constant(single(0.044715)));
      return op("mul", op("add", h, cube), constant(root));
    },
    ({ op, constant }, h) => {
      const inner = op("add", constant(1), op("mul", op("mul", constant(single(0.044715)), h), h));
      return op("mul", op("mul", constant(root), h), inner);
    },
  ];
  it.each(cubes)("finds gelu with tanh, form %#", (argument) => {
    const made = gelu((s, h) => {
      const gate = s.op("add", s.op("tanh", argument(s, h)), s.constant(1));
      return s.op("mul", s.op("mul", s.constant(0.5), h), gate);
    });
    expect(settled(made)).toEqual({ gelu: 1 });
  });

  it("is not deceived by other factors", () => {
    const made = gelu((s, h) => s.op("mul", s.op("mul", h, s.constant(0.6)), erf(s, h)));
    expect(settled(made)).toMatchObject({ erf: 1 });
    const silu = sketch(({ x, op }) => op("mul", x("a", 4), op("sigmoid", x("b", 4))));
    expect(settled(silu)).toEqual({ sigmoid: 1, mul: 1 });
  });

  it("finds silu, also in a gated layer", () => {
    const made = sketch(({ x, op }) => {
      const h = x("h", 2, 4);
      return op("mul", op("mul", op("sigmoid", h), h), x("up", 2, 4));
    });
    expect(settled(made)).toEqual({ silu: 1, mul: 1 });
  });
});

describe("rotary embedding", () => {
  const rotate = ({ builder, op }: Sketch, h: string, from: number) => {
    const part = (start: number, end: number) =>
      builder.op("slice", [h], { starts: [0, 0, 0, start], ends: [1, 2, 3, end], steps: [1, 1, 1, 1] });
    return builder.op("concat", [op("neg", part(from, 8)), part(0, from)], { axis: -1 });
  };
  const made = (from: number) =>
    sketch((s) => {
      const h = s.x("h", 1, 2, 3, 8);
      const [cos, sin] = [s.x("cos", 1, 1, 3, 8), s.x("sin", 3, 8)];
      return s.op("add", s.op("mul", cos, h), s.op("mul", rotate(s, h, from), sin));
    });
  it("finds it", () => expect(settled(made(4))).toEqual({ rope: 1 }));
  it("leaves a rotation by something else than half", () => expect(settled(made(3)).rope).toBeUndefined());
});

describe("attention", () => {
  const [batch, heads, groups, length, depth] = [1, 4, 2, 3, 8];
  const triangle = (value: number, future: number) =>
    tensor(
      [1, 1, length, length],
      Array.from({ length: length * length }, (_, i) => (i % length > Math.floor(i / length) ? future : value)),
    );
  interface Form {
    readonly scale?: "scores" | "both" | "quotient";
    readonly grouped?: boolean;
    readonly merged?: boolean;
    readonly guard?: boolean;
    readonly mask?: (s: Sketch, scores: string) => string;
  }
  const made = ({ scale = "scores", grouped, merged, guard, mask }: Form) =>
    sketch((s) => {
      const { builder, x, op, constant } = s;
      const repeat = (h: string) => {
        if (!grouped) return h;
        const parted = builder.op("reshape", [h], { shape: [batch, groups, 1, length, depth] });
        const wide = builder.op("expand", [parted], { shape: [batch, groups, heads / groups, length, depth] });
        return builder.op("reshape", [wide], { shape: [batch, heads, length, depth] });
      };
      const count = grouped ? groups : heads;
      const [q, k, v] = [
        x("q", batch, heads, length, depth),
        x("k", batch, count, length, depth),
        x("v", batch, count, length, depth),
      ];
      const keys = () => {
        if (!merged) return builder.op("transpose", [repeat(k)], { perm: [0, 1, 3, 2] });
        const flat = builder.op("reshape", [repeat(k)], { shape: [batch * heads, length, depth] });
        const turned = builder.op("transpose", [flat], { perm: [0, 2, 1] });
        return builder.op("reshape", [turned], { shape: [batch, heads, depth, length] });
      };
      const factor = constant(single(depth ** -0.25));
      const both = scale === "both";
      let scores = op("matmul", both ? op("mul", q, factor) : q, both ? op("mul", keys(), factor) : keys());
      if (scale === "scores") scores = op("mul", scores, constant(0.25));
      if (scale === "quotient") scores = op("div", scores, constant(4));
      let weights = op("softmax", mask ? mask(s, scores) : scores);
      if (guard) weights = op("where", op("is-nan", weights), constant(0), weights);
      return op("matmul", weights, repeat(v));
    });
  const padding = ({ builder }: Sketch) =>
    builder.input("padding", { label: "client", element: bool, shape: [1, 1, 1, length] });

  it.each([
    {},
    { scale: "both" },
    { scale: "quotient", guard: true },
    { grouped: true },
    { grouped: true, scale: "both", merged: true, guard: true },
  ] as const)("finds %j", (form) => {
    const form_ = made(form);
    expect(settled(form_)).toEqual({ attention: 1 });
  });

  const attrsOf = (form: Form) => {
    const { module, weights } = made(form);
    const after = canonicalize(module, weights).module;
    const op = opsOf(after).find(({ name }) => name === "attention")!;
    return { causal: op.attrs.causal, operands: op.operands.length };
  };

  it("a constant causal mask vanishes, added or chosen", () => {
    const added: Form = { mask: (s, scores) => s.op("add", s.constant(triangle(0, -3.4e38)), scores) };
    expect(settled(made(added))).toEqual({ attention: 1 });
    expect(attrsOf(added)).toEqual({ causal: true, operands: 3 });
    const open: Form = { mask: (s, scores) => s.op("add", scores, s.constant(triangle(0, 0))) };
    expect(attrsOf(open)).toEqual({ causal: false, operands: 3 });
  });

  it("a causal condition on the scores vanishes", () => {
    const chosen: Form = {
      mask: ({ builder, op, constant }, scores) => {
        const seen = builder.op("cast", [constant(triangle(1, 0))], { to: "bool" });
        return op("where", seen, scores, constant(-3.4e38));
      },
    };
    expect(settled(made(chosen)).attention).toBe(1);
  });

  it("what depends on the client's mask stays, clamped, and no larger than it is", () => {
    const both: Form = {
      mask: (s, scores) => {
        const seen = s.builder.op("cast", [s.constant(triangle(1, 0))], { to: "bool" });
        const all = s.builder.op("logic", [seen, padding(s)], { kind: "and" });
        const wide = s.builder.op("expand", [all], { shape: [batch, 1, length, length] });
        return s.op("add", scores, s.op("where", wide, s.constant(0), s.constant(-3.4e38)));
      },
    };
    expect(settled(made(both))).toEqual({ where: 1, attention: 1 });
    expect(attrsOf(both)).toEqual({ causal: true, operands: 4 });
    const { module, weights } = made(both);
    const after = canonicalize(module, weights);
    const choice = opsOf(after.module).find(({ name }) => name === "where")!;
    expect(after.module.values[choice.result]!.type.shape).toEqual([1, 1, 1, length]);
    const absent = after.weights.get(after.module.params[choice.operands[2]!]!)!;
    expect([...absent.data]).toEqual([-1e4]);
  });

  it("a mask that is more than causal stays as it is", () => {
    const window = triangle(0, -3.4e38);
    const data = window.data.slice();
    data[2 * length] = -3.4e38;
    const form: Form = { mask: (s, scores) => s.op("add", scores, s.constant({ shape: window.shape, data })) };
    expect(settled(made(form))).toEqual({ attention: 1 });
    expect(attrsOf(form)).toEqual({ causal: true, operands: 4 });
    const bias: Form = { mask: (s, scores) => s.op("add", scores, s.x("bias", 1, heads, length, length)) };
    expect(settled(made(bias))).toMatchObject({ attention: 1 });
    expect(attrsOf(bias)).toEqual({ causal: false, operands: 4 });
  });

  it("a softmax over another axis is none", () => {
    const form = sketch(({ builder, x, op }) => {
      const q = x("q", 1, 2, 3, 3);
      return op("matmul", builder.op("softmax", [op("matmul", q, x("k", 1, 2, 3, 3))], { axis: 2 }), q);
    });
    expect(settled(form)).toEqual({ matmul: 2, softmax: 1 });
  });

  it("batches of three axes have one head each", () => {
    const form = sketch(({ builder, x, op }) => {
      const keys = builder.op("transpose", [x("k", 4, 5, 8)], { perm: [0, 2, 1] });
      return op("matmul", op("softmax", op("matmul", x("q", 4, 3, 8), keys)), x("v", 4, 5, 6));
    });
    expect(settled(form)).toMatchObject({ attention: 1, reshape: 4 });
  });
});

describe("small things", () => {
  it("layouts, powers and neutral elements", () => {
    const made = sketch(({ builder, x, op, constant }) => {
      const h = x("h", 2, 3, 4);
      const there = builder.op("transpose", [h], { perm: [2, 0, 1] });
      const back = builder.op("transpose", [there], { perm: [1, 2, 0] });
      const flat = builder.op("reshape", [builder.op("reshape", [back], { shape: [6, 4] })], { shape: [2, 3, 4] });
      return op("pow", op("add", op("mul", flat, constant(1)), constant(0)), constant(3));
    });
    expect(settled(made)).toEqual({ mul: 2 });
  });

  it("equal operators are computed once", () => {
    const made = sketch(({ x, op, constant }) => {
      const h = x("h", 3);
      return op("add", op("exp", op("mul", h, constant(2))), op("exp", op("mul", h, constant(2))));
    });
    expect(settled(made)).toEqual({ mul: 1, exp: 1, add: 1 });
  });

  it("every recogniser has a name of its own and a law", () => {
    expect(new Set(recognisers.map(({ name }) => name)).size).toBe(recognisers.length);
    for (const { law } of recognisers) expect(law).toMatch(/=/);
  });
});
