import { expect, it } from "vitest";
import { fuseOperators } from "../../../../compiler/onnx/import/fuse/index.ts";
import { opsOf } from "../../../../ir/module.ts";
import { bool, f32 } from "../../../../ir/type.ts";
import { type Sketch, settled, sketch } from "./module-sketch.ts";

const [heads, length, depth] = [2, 3, 4];

/** A choice by the client's condition between 0 and a masked score. */
const masked = ({ builder, op, constant }: Sketch) =>
  op(
    "where",
    builder.input("seen", { label: "client", element: bool, shape: [1, 1, 1, length] }),
    constant(0),
    constant(-3.4e38),
  );

const parts = ({ x, builder }: Sketch) => {
  const [q, k, v] = ["q", "k", "v"].map((name) => x(name, 1, heads, length, depth)) as [string, string, string];
  return { q, k, v, keys: builder.op("transpose", [k], { perm: [0, 1, 3, 2] }) };
};

it("finds attention whose scores are scaled after the mask", () => {
  for (const [name, factor] of [["div", 2] as const, ["mul", 0.5] as const]) {
    const made = sketch((s) => {
      const { q, keys, v } = parts(s);
      const scores = s.op(name, s.op("add", s.op("matmul", q, keys), masked(s)), s.constant(factor));
      return s.op("matmul", s.op("softmax", scores), v);
    });
    expect(settled(made)).toEqual({ where: 1, attention: 1 });
    const op = opsOf(fuseOperators(made.module, made.weights).module).find((each) => each.name === "attention")!;
    expect(op.attrs.scale).toBe(0.5);
  }
});

it("leaves scores that a negative factor scales after their mask", () => {
  const made = sketch((s) => {
    const { q, keys, v } = parts(s);
    const bias = s.x("bias", 1, 1, length, length);
    return s.op("matmul", s.op("softmax", s.op("mul", s.op("add", s.op("matmul", q, keys), bias), s.constant(-1))), v);
  });
  expect(settled(made)).toMatchObject({ softmax: 1, matmul: 2 });
});

it("finds attention of joined heads that are split for the mask and clamped to the least number", () => {
  for (const again of [true, false]) {
    const made = sketch((s) => {
      const { builder, op, constant } = s;
      const { q, k, v } = parts(s);
      const joined = (id: string) => builder.op("reshape", [id], { shape: [heads, length, depth] });
      const keys = builder.op("transpose", [joined(k)], { perm: [0, 2, 1] });
      const scores = builder.op("reshape", [op("matmul", joined(q), keys)], { shape: [1, heads, length, length] });
      const raised = op("maximum", op("add", scores, masked(s)), constant(-3.4e38));
      const weights = op("softmax", builder.op("reshape", [raised], { shape: [heads, length, length] }));
      // Some exporters leave the values as they were.
      return again ? op("matmul", weights, joined(v)) : op("matmul", weights, v);
    });
    expect(settled(made)).toMatchObject({ where: 1, attention: 1 });
    expect(settled(made)).not.toHaveProperty("softmax");
  }
});

it("clamps a mask beside a private position bias, and not the bias", () => {
  const made = sketch((s) => {
    const { q, keys, v } = parts(s);
    const bias = s.builder.param("bias", { label: "server", element: f32, shape: [1, heads, length, length] }, "bias");
    const padding = s.x("padding", 1, 1, 1, length);
    const scores = s.op("add", s.op("matmul", q, keys), s.op("add", bias, padding));
    return s.op("matmul", s.op("softmax", scores), v);
  });
  const after = opsOf(fuseOperators(made.module, made.weights).module);
  expect(after.map(({ name }) => name).sort()).toEqual(["add", "attention", "clip"]);
  expect(after.find(({ name }) => name === "clip")!.operands).toEqual(["padding"]);
});
