import { expect, test } from "vitest";
import type { ValueId } from "../../ir/module.ts";
import { tensor } from "../../ir/tensor.ts";
import type { Kit } from "./models.ts";
import { check, secret } from "./rewriting.ts";

const one = (kit: Kit): ValueId => kit.weight("one", "public", tensor([], [1]));
const logSum = (kit: Kit, x: ValueId, keepdims: boolean): ValueId =>
  kit.op("log", [kit.op("reduce-sum", [kit.op("exp", [x])], { axes: [1], keepdims })]);
const withMaximum = ["reduce-max", "sub", "exp", "reduce-sum", "log", "add"];

test.each<[string, (kit: Kit, x: ValueId) => ValueId, readonly string[]]>([
  ["ln Σ e^x", (kit, x) => logSum(kit, x, true), withMaximum],
  ["ln Σ e^x without the axis", (kit, x) => logSum(kit, x, false), [...withMaximum, "reshape"]],
  [
    "ln Σ e^(x − max x) stays",
    (kit, x) => logSum(kit, kit.op("sub", [x, kit.op("reduce-max", [x], { axes: [1], keepdims: true })]), true),
    withMaximum.slice(0, -1),
  ],
  [
    "ln(1 + e^x)",
    (kit, x) => kit.op("log", [kit.op("add", [one(kit), kit.op("exp", [x])])]),
    ["abs", "sub", "exp", "add", "log", "relu", "add"],
  ],
  [
    "ln(e^−|x| + 1) stays",
    (kit, x) => kit.op("log", [kit.op("add", [kit.op("exp", [kit.op("neg", [kit.op("abs", [x])])]), one(kit)])]),
    ["abs", "sub", "exp", "add", "log"],
  ],
])("%s", (_name, build, expected) => {
  const { names } = check((kit) => [build(kit, secret(kit))]);
  expect(names.slice(2, -1)).toEqual(expected);
});
