import { expect, test } from "vitest";
import { edit, removeDead, renameValue, replaceUses } from "../../ir/edit.ts";
import { opsOf } from "../../ir/module.ts";
import { createNames, safeName, uniqueName } from "../../ir/names.ts";
import { parse } from "../../ir/text/parse.ts";
import { print } from "../../ir/text/print.ts";
import { producersOf, usersOf } from "../../ir/uses.ts";
import { verify } from "../../ir/verify.ts";

const module = parse(`module m stage import {
  input %x : client f32[2]
  param %w : server f32[2] = "w"
  param %unused : server f32[2] = "u"
  %a = neg %x : client f32[2]
  %b = add %a, %w : shared f32[2]
  %dead = relu %b : shared f32[2]
  %y = mul %b, %b : shared f32[2]
  output %y
}`);

test("usersOf and producersOf find the ops that read and make a value", () => {
  expect(
    usersOf(opsOf(module))
      .get("b")!
      .map((op) => op.result),
  ).toEqual(["dead", "y"]);
  expect(producersOf(opsOf(module)).get("a")!.name).toBe("neg");
  expect(producersOf(opsOf(module)).has("x")).toBe(false);
});

test("removeDead keeps what outputs depend on, and the inputs", () => {
  const alive = removeDead(module);
  expect(opsOf(alive).map((op) => op.result)).toEqual(["a", "b", "y"]);
  expect(Object.keys(alive.values).sort()).toEqual(["a", "b", "w", "x", "y"]);
  expect(alive.params).toEqual({ w: "w" });
  expect(verify(alive)).toEqual([]);
});

test("edit shares the parts that it does not change", () => {
  const changed = edit(module, (draft) => replaceUses(draft, "a", "x"));
  expect(opsOf(changed)[1]!.operands).toEqual(["x", "w"]);
  expect(changed.steps[0]).toBe(module.steps[0]);
  expect(opsOf(module)[1]!.operands).toEqual(["a", "w"]);
});

test("renameValue renames everywhere and keeps the order of the text", () => {
  const names = [
    ["x", "tokens"],
    ["w", "bias"],
    ["b", "sum"],
    ["y", "logits"],
  ] as const;
  const renamed = edit(module, (draft) => {
    for (const [from, to] of names) renameValue(draft, from, to);
  });
  const expected = names.reduce(
    (text, [from, to]) => text.replaceAll(new RegExp(`%${from}\\b`, "g"), `%${to}`),
    print(module),
  );
  expect(print(renamed)).toBe(expected);
  expect(() => edit(module, (draft) => renameValue(draft, "x", "y"))).toThrow(
    "cannot rename %x to %y: the name is in use",
  );
});

test("names are safe, stable and unique", () => {
  expect(safeName("/model/layers.0/q_proj/MatMul")).toBe("model_layers.0_q_proj_MatMul");
  expect(safeName("onnx::MatMul_675")).toBe("onnx_MatMul_675");
  expect(safeName("7")).toBe("_7");
  expect(safeName("__proto__")).toBe("proto__");
  expect(uniqueName(new Set(["a", "a_1"]), "a")).toBe("a_2");
  const fresh = createNames(["a_1"]);
  expect([fresh("a"), fresh("a"), fresh("a"), fresh("b")]).toEqual(["a", "a_2", "a_3", "b"]);
});
