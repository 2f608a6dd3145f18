import { describe, expect, it } from "vitest";
import { fusions } from "../../../../compiler/onnx/import/fuse/index.ts";
import type { Builder } from "../../../../ir/builder.ts";
import { type Sketch, settled, single, sketch } from "./module-sketch.ts";

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

  it("finds the norm of a centred value", () => {
    const made = sketch(({ builder, x, constant, op }) => {
      const h = x("h", 1, 3, 8);
      const centred = op("sub", h, mean(builder, h));
      const dev = op("sqrt", op("add", mean(builder, op("pow", centred, constant(2))), constant(1e-5)));
      return op("add", op("mul", op("div", centred, dev), x("gain", 8)), x("bias", 8));
    });
    expect(settled(made)).toEqual({ "layer-norm": 1, mul: 1, add: 1 });
  });

  it("leaves patterns that only look similar", () => {
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

  it.each<[string, (s: Sketch, h: string) => string]>([
    [
      "1 / (1 + e^−x)",
      ({ op, constant }, h) => op("div", constant(1), op("add", constant(1), op("exp", op("neg", h)))),
    ],
    [
      "reciprocal(e^(x · −1) + 1)",
      ({ op, constant }, h) => op("reciprocal", op("add", op("exp", op("mul", h, constant(-1))), constant(1))),
    ],
  ])("finds sigmoid as %s", (_, write) => {
    expect(settled(sketch((s) => write(s, s.x("h", 2, 4))))).toEqual({ sigmoid: 1 });
  });

  it("finds the sigmoid of a negated value", () => {
    const falling = sketch(({ op, constant, x }) => op("reciprocal", op("add", constant(1), op("exp", x("h", 3)))));
    const other = sketch(({ op, constant, x }) => op("reciprocal", op("add", constant(2), op("exp", x("h", 3)))));

    expect(settled(falling)).toEqual({ neg: 1, sigmoid: 1 });
    expect(settled(other)).toEqual({ exp: 1, add: 1, reciprocal: 1 });
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

  it("leaves patterns with other factors", () => {
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
  it("leaves a rotation by another part than half", () => expect(settled(made(3)).rope).toBeUndefined());
});

describe("simplifications", () => {
  it("simplifies layouts, powers and neutral elements", () => {
    const made = sketch(({ builder, x, op, constant }) => {
      const h = x("h", 2, 3, 4);
      const there = builder.op("transpose", [h], { perm: [2, 0, 1] });
      const back = builder.op("transpose", [there], { perm: [1, 2, 0] });
      const flat = builder.op("reshape", [builder.op("reshape", [back], { shape: [6, 4] })], { shape: [2, 3, 4] });
      return op("pow", op("add", op("mul", flat, constant(1)), constant(0)), constant(3));
    });
    expect(settled(made)).toEqual({ mul: 2 });
  });

  it.each<[string, (s: Sketch, h: string) => string]>([
    ["max(−∞, x)", ({ op, constant }, h) => op("maximum", constant(-Infinity), h)],
    ["max(x, lowest float32)", ({ op, constant }, h) => op("maximum", h, constant(-single(3.4028234663852886e38)))],
    ["min(∞, x)", ({ op, constant }, h) => op("minimum", constant(Infinity), h)],
    ["x ^ 1", ({ op, constant }, h) => op("pow", h, constant(1))],
    ["x / 1 − 0", ({ op, constant }, h) => op("sub", op("div", h, constant(1)), constant(0))],
    ["where(true, x, 5)", ({ op, constant }, h) => op("where", constant(1), h, constant(5))],
    ["where(false, 5, x)", ({ op, constant }, h) => op("where", constant(0), constant(5), h)],
    ["max(x, x)", ({ op }, h) => op("maximum", h, h)],
    ["−(−x)", ({ op }, h) => op("neg", op("neg", h))],
  ])("%s is x", (_, write) => {
    expect(settled(sketch((s) => s.op("tanh", write(s, s.x("h", 3)))))).toEqual({ tanh: 1 });
  });

  it.each<[string, (s: Sketch, h: string) => string, string]>([
    ["max(x, −5)", ({ op, constant }, h) => op("maximum", h, constant(-5)), "maximum"],
    ["min(x, lowest float32)", ({ op, constant }, h) => op("minimum", h, constant(-3e38)), "minimum"],
    ["1 / x", ({ op, constant }, h) => op("div", constant(1), h), "reciprocal"],
    ["0 − x", ({ op, constant }, h) => op("sub", constant(0), h), "sub"],
  ])("%s is not x", (_, write, operator) => {
    expect(settled(sketch((s) => s.op("tanh", write(s, s.x("h", 3)))))).toEqual({ tanh: 1, [operator]: 1 });
  });

  it("computes equal operators once", () => {
    const made = sketch(({ x, op, constant }) => {
      const h = x("h", 3);
      return op("add", op("exp", op("mul", h, constant(2))), op("exp", op("mul", h, constant(2))));
    });
    expect(settled(made)).toEqual({ mul: 1, exp: 1, add: 1 });
  });

  it("gives every fusion a unique name and a law", () => {
    expect(new Set(fusions.map(({ name }) => name)).size).toBe(fusions.length);
    for (const { law } of fusions) expect(law).toMatch(/=/);
  });
});
