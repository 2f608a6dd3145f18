import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { interpret } from "../../ir/interpret.ts";
import { applyRewrites, type RewriteRule } from "../../ir/rewrite.ts";
import { tensor } from "../../ir/tensor.ts";
import { parse } from "../../ir/text/parse.ts";
import { print } from "../../ir/text/print.ts";
import { sizeOf } from "../../ir/type.ts";
import { verify } from "../../ir/verify.ts";
import { arbitraryModule, indexInput } from "../harness/arbitrary-module.ts";

const doubleNegation: RewriteRule = {
  name: "double-negation",
  law: "−(−x) = x",
  match: (op, { definer }) => {
    const inner = op.name === "neg" ? definer(op.operands[0]!) : undefined;
    return inner?.name === "neg" ? inner.operands[0] : undefined;
  },
};

const subtraction: RewriteRule = {
  name: "subtraction",
  law: "x − y = x + (−y)",
  match: (op, { emit }) => {
    if (op.name !== "sub") return undefined;
    return emit("add", [op.operands[0]!, emit("neg", [op.operands[1]!])]);
  },
};

const silu: RewriteRule = {
  name: "silu",
  law: "x · sigmoid(x) = silu(x)",
  match: (op, { definer, users, emit }) => {
    const gate = op.name === "mul" ? definer(op.operands[1]!) : undefined;
    if (gate?.name !== "sigmoid" || gate.operands[0] !== op.operands[0] || users(gate.result).length > 1)
      return undefined;
    return emit("silu", [op.operands[0]!]);
  },
};

const lines = (text: string): readonly string[] =>
  text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line.startsWith("%"));

describe("applyRewrites", () => {
  test("gives a replacement the old name, and removes ops that become dead", () => {
    const module = parse(`module m stage import {
      input %x : client f32[2]
      %g = sigmoid %x : client f32[2] at "/act/Sigmoid"
      %y = mul %x, %g : client f32[2] in [-1, 9] at "/act/Mul"
      output %y
    }`);
    const { module: result, applied } = applyRewrites(module, [silu]);
    expect(lines(print(result))).toEqual([
      '%y = silu %x : client f32[2] in [-1.0, 9.0] at "/act/Mul"'.replaceAll(".0", ""),
    ]);
    expect(applied).toEqual(new Map([["silu", 1]]));
    expect(verify(result)).toEqual([]);
  });

  test("does not match a value with another reader", () => {
    const module = parse(`module m stage import {
      input %x : client f32[2]
      %g = sigmoid %x : client f32[2]
      %y = mul %x, %g : client f32[2]
      %z = neg %g : client f32[2]
      output %y
      output %z
    }`);
    expect(applyRewrites(module, [silu]).module).toBe(module);
  });

  test("applies rewrites to a fixpoint, and outputs keep their names", () => {
    const module = parse(`module m stage import {
      input %x : client f32[2]
      %n = neg %x : client f32[2]
      %s = sub %x, %n : client f32[2]
      %a = neg %s : client f32[2]
      %y = neg %a : client f32[2]
      %z = neg %y : client f32[2]
      output %y
      output %z
    }`);
    const { module: result, applied } = applyRewrites(module, [doubleNegation, subtraction]);
    expect(lines(print(result))).toEqual([
      "%s = add %x, %x : client f32[2]",
      "%a = neg %s : client f32[2]",
      "%y = neg %a : client f32[2]",
      "%z = neg %y : client f32[2]",
    ]);
    expect([applied.get("double-negation"), applied.get("subtraction")]).toEqual([1, 1]);
    expect(verify(result)).toEqual([]);
  });

  test("stops rewrites that undo each other", () => {
    const back: RewriteRule = {
      name: "back",
      law: "x + y = y + x",
      match: (op, { emit }) => (op.name === "add" ? emit("add", [op.operands[1]!, op.operands[0]!]) : undefined),
    };
    const module = parse(
      "module m stage import { input %x : client f32[2] %y = add %x, %x : client f32[2] output %y }",
    );
    expect(() => applyRewrites(module, [back], 5)).toThrow("did not end in 5 walks");
  });

  test("throws if a rewrite changes the shape", () => {
    const wrong: RewriteRule = {
      name: "wrong",
      law: "none",
      match: (op, { emit }) => (op.name === "neg" ? emit("reshape", [op.operands[0]!], { shape: [2, 1] }) : undefined),
    };
    const module = parse("module m stage import { input %x : client f32[2] %y = neg %x : client f32[2] output %y }");
    expect(() => applyRewrites(module, [wrong])).toThrow("[2] would become [2,1]");
  });

  test("keeps what a random module computes", () => {
    const operators = ["sub", "neg", "add", "mul", "sigmoid", "transpose", "concat"];
    fc.assert(
      fc.property(arbitraryModule({ tries: 20, operators }), (module) => {
        const { module: result } = applyRewrites(module, [doubleNegation, subtraction, silu]);
        expect(verify(result)).toEqual([]);
        const draw = (id: string) => {
          const { shape } = module.values[id]!.type;
          return tensor(
            shape,
            Float64Array.from({ length: sizeOf(shape) }, (_, i) => (id === indexInput ? 0 : Math.sin(i + 1))),
          );
        };
        const inputs = new Map(module.inputs.map((id) => [id, draw(id)]));
        const weights = new Map(Object.entries(module.params).map(([id, name]) => [name, draw(id)]));
        const [before, after] = [module, result].map((each) => [...interpret(each, weights, inputs)]);
        expect(after!.map(([id]) => id)).toEqual(before!.map(([id]) => id));
        for (const [at, [, value]] of before!.entries()) {
          value.data.forEach((x, i) => {
            expect(after![at]![1].data[i]).toBeCloseTo(x, 12);
          });
        }
      }),
    );
  });
});
