import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { evaluateOp } from "../../ir/interpret.ts";
import type { Attrs } from "../../ir/module.ts";
import { registry } from "../../ir/registry.ts";
import { fromNested, type Nested, toNested } from "../harness/nested-tensors.ts";

const table = readFileSync(new URL("../../fixtures/ir/operators.txt", import.meta.url), "utf8");
const cases = table
  .split("\n")
  .filter((line) => line !== "" && !line.startsWith("//"))
  .map((line) => {
    const [, name, attrs = "{}", operands, expected] = /^([a-z-]+)(?: (\{.*\}))? (\[.*\]) = (.*)$/.exec(line)!;
    return {
      line,
      name: name!,
      attrs: read(attrs) as Attrs,
      operands: read(operands!) as Nested[],
      expected: read(expected!) as Nested,
    };
  });

function read(text: string): unknown {
  return JSON.parse(text, (_, value: unknown) => (value === null ? Number.NaN : value));
}

describe("evaluate", () => {
  test.each(cases)("$line", ({ name, operands, expected, attrs }) => {
    const found = evaluateOp(name, operands.map(fromNested), attrs);
    const wanted = fromNested(expected);
    expect(found.shape).toEqual(wanted.shape);
    found.data.forEach((x, i) => {
      expect(x).toBeCloseTo(wanted.data[i]!, 13);
    });
  });

  test("has a case for every operator", () => {
    const tested = new Set(cases.map(({ name }) => name));
    expect([...registry.keys()].filter((name) => !tested.has(name))).toEqual([]);
  });

  test("drops the fraction of an integer result toward zero, as ONNX divides", () => {
    const found = evaluateOp("div", [fromNested([7, -7]), fromNested([2, 2])], {}, { kind: "i64" });
    expect(toNested(found)).toEqual([3, -3]);
  });

  test.each([
    [3, 5, 7],
    [8, 4, 16],
    [1, 1, 600],
  ])("computes matmul of [%i, %i] and [.., %i] as the sum of products", (m, k, n) => {
    const draw = (length: number): number[] => Array.from({ length }, (_, i) => ((i * 37) % 19) - 9);
    const a = { shape: [m, k], data: Float64Array.from(draw(m * k)) };
    const b = { shape: [k, n], data: Float64Array.from(draw(k * n)) };
    const naive = Array.from({ length: m * n }, (_, at) => {
      const [i, j] = [Math.floor(at / n), at % n];
      return Array.from({ length: k }, (_, l) => a.data[i * k + l]! * b.data[l * n + j]!).reduce((x, y) => x + y, 0);
    });
    expect([...evaluateOp("matmul", [a, b]).data]).toEqual(naive);
  });
});

const wrong: readonly (readonly [string, readonly (readonly number[])[], Attrs, RegExp])[] = [
  ["add", [[2], [3]], {}, /broadcast/],
  [
    "matmul",
    [
      [2, 3],
      [2, 3],
    ],
    {},
    /K, N/,
  ],
  ["matmul", [[3], [3, 2]], {}, /matrices/],
  ["reshape", [[2, 3]], { shape: [5] }, /6 elements/],
  ["transpose", [[2, 3]], { perm: [0, 0] }, /permutation/],
  ["slice", [[4]], { starts: [0], ends: [5], steps: [1] }, /inside/],
  [
    "concat",
    [
      [2, 3],
      [3, 3],
    ],
    { axis: 1 },
    /axis 1 only/,
  ],
  ["softmax", [[2]], { axis: 1 }, /axis/],
  [
    "attention",
    [
      [1, 3, 2, 4],
      [1, 2, 2, 4],
      [1, 2, 2, 4],
    ],
    { scale: 1, causal: false },
    /\[B, H, S, D\]/,
  ],
  ["rope", [[2, 3], [3], [3]], {}, /even/],
  ["expand", [[2]], { shape: [3] }, /broadcasts/],
  [
    "conv",
    [
      [1, 3, 5],
      [4, 2, 3],
    ],
    { strides: [1], pads: [0, 0], dilations: [1], group: 1 },
    /\[M, C \/ 1/,
  ],
  ["sum-pool", [[1, 1, 3]], { kernel: [4], strides: [1], pads: [0, 0], dilations: [1] }, /at most 3/],
  ["sum-pool", [[1, 1, 3]], { kernel: [2], strides: [0], pads: [0, 0], dilations: [1] }, /strides/],
  ["max-pool", [[1, 1, 3]], { kernel: [1], strides: [1], pads: [1, 0], dilations: [1] }, /in the padding/],
];

test.each(wrong)("the shape function of %s refuses %j", (name, shapes, attrs, message) => {
  expect(() => registry.get(name)!.shape(shapes, attrs)).toThrow(message);
});
