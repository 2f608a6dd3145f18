import { describe, expect, it } from "vitest";
import { fuseOperators } from "../../../../compiler/onnx/import/fuse/index.ts";
import { opsOf } from "../../../../ir/module.ts";
import { type Tensor, tensor } from "../../../../ir/tensor.ts";
import { bool } from "../../../../ir/type.ts";
import { type Sketch, settled, single, sketch } from "./module-sketch.ts";

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
    const after = fuseOperators(module, weights).module;
    const op = opsOf(after).find(({ name }) => name === "attention")!;
    return { causal: op.attrs.causal, window: op.attrs.window, operands: op.operands.length };
  };

  it("drops a constant causal mask, added or selected", () => {
    const added: Form = { mask: (s, scores) => s.op("add", s.constant(triangle(0, -3.4e38)), scores) };
    expect(settled(made(added))).toEqual({ attention: 1 });
    expect(attrsOf(added)).toEqual({ causal: true, window: 0, operands: 3 });
    const open: Form = { mask: (s, scores) => s.op("add", scores, s.constant(triangle(0, 0))) };
    expect(attrsOf(open)).toEqual({ causal: false, window: 0, operands: 3 });
  });

  it("drops a causal condition on the scores", () => {
    const chosen: Form = {
      mask: ({ builder, op, constant }, scores) => {
        const seen = builder.op("cast", [constant(triangle(1, 0))], { to: "bool" });
        return op("where", seen, scores, constant(-3.4e38));
      },
    };
    expect(settled(made(chosen)).attention).toBe(1);
  });

  it("keeps the part that depends on the client's mask, clamped and no larger", () => {
    const both: Form = {
      mask: (s, scores) => {
        const seen = s.builder.op("cast", [s.constant(triangle(1, 0))], { to: "bool" });
        const all = s.builder.op("logic", [seen, padding(s)], { kind: "and" });
        const wide = s.builder.op("expand", [all], { shape: [batch, 1, length, length] });
        return s.op("add", scores, s.op("where", wide, s.constant(0), s.constant(-3.4e38)));
      },
    };
    expect(settled(made(both))).toEqual({ where: 1, attention: 1 });
    expect(attrsOf(both)).toEqual({ causal: true, window: 0, operands: 4 });
    const { module, weights } = made(both);
    const after = fuseOperators(module, weights);
    const choice = opsOf(after.module).find(({ name }) => name === "where")!;
    expect(after.module.values[choice.result]!.type.shape).toEqual([1, 1, 1, length]);
    const absent = after.weights.get(after.module.params[choice.operands[2]!]!)!;
    expect([...absent.data]).toEqual([-1e4]);
  });

  it("drops a constant window, with or without the causal mask, and beside the client's mask", () => {
    const back = (at: number): number => Math.floor(at / length) - (at % length);
    const seen = (exists: (back: number) => boolean): Tensor => {
      const { shape, data } = triangle(0, 0);
      return { shape, data: data.map((_, at) => Number(exists(back(at)))) };
    };
    const added: Form = {
      mask: (s, scores) => {
        const { shape, data } = seen((n) => n >= 0 && n < 2);
        return s.op("add", scores, s.constant({ shape, data: data.map((exists) => (exists ? 0 : -3.4e38)) }));
      },
    };
    expect(settled(made(added))).toEqual({ attention: 1 });
    expect(attrsOf(added)).toEqual({ causal: true, window: 2, operands: 3 });
    const chosen = (...parts: ((back: number) => boolean)[]): Form => ({
      mask: (s, scores) => {
        const { builder, op, constant } = s;
        const known = parts.map((part) => builder.op("cast", [constant(seen(part))], { to: "bool" }));
        const all = [...known, padding(s)].reduce((a, b) => builder.op("logic", [a, b], { kind: "and" }));
        return op("add", scores, op("where", all, constant(0), constant(-3.4e38)));
      },
    });
    const apart = chosen(
      (n) => n < 2,
      (n) => n >= 0,
    );
    expect(attrsOf(apart)).toEqual({ causal: true, window: 2, operands: 4 });
    expect(settled(made(apart))).toEqual({ where: 1, attention: 1 });
    expect(attrsOf(chosen((n) => n < 1))).toEqual({ causal: false, window: 1, operands: 4 });
  });

  it("keeps a mask that is more than causal", () => {
    const window = triangle(0, -3.4e38);
    const data = window.data.slice();
    data[length] = -3.4e38;
    const form: Form = { mask: (s, scores) => s.op("add", scores, s.constant({ shape: window.shape, data })) };
    expect(settled(made(form))).toEqual({ attention: 1 });
    expect(attrsOf(form)).toEqual({ causal: true, window: 0, operands: 4 });
    const bias: Form = { mask: (s, scores) => s.op("add", scores, s.x("bias", 1, heads, length, length)) };
    expect(settled(made(bias))).toMatchObject({ attention: 1 });
    expect(attrsOf(bias)).toMatchObject({ causal: false, operands: 4 });
  });

  it("does not match a softmax over another axis", () => {
    const form = sketch(({ builder, x, op }) => {
      const q = x("q", 1, 2, 3, 3);
      return op("matmul", builder.op("softmax", [op("matmul", q, x("k", 1, 2, 3, 3))], { axis: 2 }), q);
    });
    expect(settled(form)).toEqual({ matmul: 2, softmax: 1 });
  });

  it("gives batches of three axes one head each", () => {
    const form = sketch(({ builder, x, op }) => {
      const keys = builder.op("transpose", [x("k", 4, 5, 8)], { perm: [0, 2, 1] });
      return op("matmul", op("softmax", op("matmul", x("q", 4, 3, 8), keys)), x("v", 4, 5, 6));
    });
    expect(settled(form)).toMatchObject({ attention: 1, reshape: 4 });
  });
});
