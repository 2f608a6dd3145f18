import { expect, test } from "vitest";
import type { Label } from "../../ir/label.ts";
import type { Attrs } from "../../ir/module.ts";
import { needsProtocol, opDef, registry, withDefaults } from "../../ir/registry.ts";

const precision = { activation: 12, weight: 10, query: 9, value: 11, probability: 14 };
const plain = undefined;

type Case = readonly [string, readonly (number | undefined)[], readonly number[], number, Attrs?];
const cases: readonly Case[] = [
  ["add", [24, 12], [12, 12], 12],
  ["sub", [22, plain], [22, 22], 22],
  ["concat", [12, plain, 9], [9, 9, 9], 9],
  ["where", [plain, 12, 22], [0, 12, 12], 12],
  ["mul", [24, plain], [12, 10], 22],
  ["mul", [9, plain], [9, 10], 19],
  ["mul", [plain, 24], [10, 12], 22],
  ["mul", [24, 12], [12, 12], 12],
  ["matmul", [24, plain], [12, 10], 22],
  ["matmul", [14, 22], [11, 11], 22],
  ["conv", [24, plain], [12, 10], 22],
  ["conv", [14, 22], [11, 11], 22],
  ["sum-pool", [22], [22], 22],
  ["max-pool", [22], [12], 12],
  ["max-pool", [9], [9], 9],
  ["reshape", [22], [22], 22],
  ["gather", [22, plain], [22, 0], 22],
  ["reduce-sum", [22], [22], 22],
  ["rope", [22, plain, plain], [12, 11, 11], 23],
  ["attention", [22, 22, 22], [9, 9, 11], 12],
  ["cached-attention", [22, 22, 22, 9, 11], [9, 9, 11, 9, 11], 12],
  ["attention", [22, 22, 22, plain], [9, 9, 11, 12], 12],
  ["softmax", [18], [12], 14],
  ["gelu", [22], [12], 12],
  ["rms-norm", [9], [9], 12],
  ["truncate", [22], [22], 12, { by: 10 }],
  ["share", [plain], [12], 12],
  ["open", [9], [9], 9],
  ["compare", [24, 12], [12, 12], 0],
  ["compare", [9, plain], [9, 9], 0],
  ["logic", [0, plain], [0, 0], 0],
  ["not", [0], [0], 0],
  ["sign", [9], [9], 0],
  ["argmax", [22], [22], 0],
  ["rank", [22], [22], 0],
  ["select-by-rank", [0, 22], [0, 22], 22],
  ["select-by-rank", [0], [0], 0],
];

for (const [name, operands, wanted, result, attrs = {}] of cases) {
  test(`${name} of scales ${JSON.stringify(operands)} wants ${JSON.stringify(wanted)} and returns ${result}`, () => {
    const def = opDef(name);
    expect(def.scales!(operands, withDefaults(def, attrs), precision)).toEqual({ operands: wanted, result });
  });
}

test("operators that are not defined on shares have no scales", () => {
  const without = [...registry.values()].filter((def) => !def.scales).map((def) => def.name);
  expect(without.sort()).toEqual(
    ["ceil", "floor", "gather-nd", "is-nan", "one-hot", "reduce-prod", "scatter-nd"].sort(),
  );
});

const protocolCases: readonly (readonly [string, readonly Label[], boolean])[] = [
  ["add", ["shared", "server"], false],
  ["add", ["client", "server"], false],
  ["matmul", ["shared", "public"], false],
  ["matmul", ["shared", "server"], true],
  ["matmul", ["client", "server"], true],
  ["matmul", ["client", "client"], false],
  ["conv", ["shared", "public"], false],
  ["conv", ["shared", "server"], true],
  ["sum-pool", ["shared"], false],
  ["max-pool", ["shared"], true],
  ["gelu", ["shared"], true],
  ["gelu", ["client"], false],
  ["where", ["public", "shared", "shared"], false],
  ["where", ["client", "shared", "shared"], true],
  ["gather", ["server", "client"], true],
  ["gather", ["public", "client"], false],
  ["truncate", ["shared"], true],
  ["share", ["client"], false],
  ["reveal", ["shared"], false],
];

test.each(protocolCases)("%s of operands %j needs a protocol: %s", (name, labels, needed) => {
  expect(needsProtocol(opDef(name), labels)).toBe(needed);
});
