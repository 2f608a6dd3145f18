import { expect, test } from "vitest";
import { interpret } from "../../ir/interpret.ts";
import type { Label } from "../../ir/label.ts";
import { opsOf, type ValueId } from "../../ir/module.ts";
import { split } from "../../passes/1-split/split.ts";
import { rewritePass } from "../../passes/2-rewrite/index.ts";
import { calibrate } from "../../passes/4-quantize/calibrate.ts";
import { runPass } from "../../passes/pass.ts";
import { createNoise, type Kit, largestDifference, model } from "./models.ts";

const computes = (operator: string): boolean => operator === "low-rank";

interface Weights {
  readonly low: (columns: number, label?: Label) => ValueId;
  readonly high: (rows: number, columns: number, label?: Label) => ValueId;
}

/** Products of one secret value with low-rank pairs, as `build` combines them. */
function rewritten(build: (kit: Kit, x: ValueId, weights: Weights) => readonly ValueId[], options = { computes }) {
  const whole = model((kit) => {
    let count = 0;
    const weight = (rows: number, columns: number, label: Label = "server"): ValueId =>
      kit.weight(`w${count++}`, label, kit.noise([rows, columns]));
    const secret = kit.op("matmul", [kit.feature("x", [3, 4]), kit.weight("first", "server", kit.noise([4, 6]))]);
    const x = kit.op("relu", [secret]);
    return build(kit, x, { low: (columns, label) => weight(6, columns, label), high: weight });
  });
  const state = split(whole, { reveal: whole.module.outputs.map((output) => ({ output, to: "client" as const })) });
  const done = runPass(rewritePass(options), state);
  const noise = createNoise(5);
  const inputs = new Map(state.module.inputs.map((id) => [id, noise(state.module.values[id]!.type.shape, 2)]));
  const [before, after] = [state, done].map(({ module, weights }) => [...interpret(module, weights, inputs).values()]);
  before!.forEach((expected, k) => {
    expect(largestDifference(after![k]!, expected)).toBeLessThan(1e-9);
  });
  const ops = opsOf(done.module);
  return { done, ops, count: (name: string) => ops.filter((op) => op.name === name).length };
}

test("pairs on one value become one product with concatenated matrices", () => {
  const { done, ops, count } = rewritten(({ op }, x, { low, high }) =>
    [
      [2, 5],
      [1, 3],
      [2, 2],
    ].map(([rank, columns]) => op("matmul", [op("matmul", [x, low(rank!)]), high(rank!, columns!)])),
  );
  expect([count("low-rank"), count("slice"), count("matmul")]).toEqual([1, 3, 1]);
  const { operands } = ops.find((op) => op.name === "low-rank")!;
  expect(operands.slice(1).map((id) => done.module.values[id]!.type.shape)).toEqual([
    [6, 5],
    [2, 5],
    [1, 3],
    [2, 2],
  ]);
});

test("a single pair needs no slice, and another product on the value stays", () => {
  const { count } = rewritten(({ op }, x, { low, high }) => [
    op("matmul", [op("matmul", [x, low(2)]), high(2, 5)]),
    op("matmul", [x, low(3)]),
  ]);
  expect([count("low-rank"), count("slice"), count("matmul")]).toEqual([1, 0, 2]);
});

test("a product with another reader and a public matrix are not fused, two pairs in a chain are", () => {
  const shared = rewritten(({ op }, x, { low, high }) => {
    const between = op("matmul", [x, low(2)]);
    return [op("matmul", [between, high(2, 5)]), op("relu", [between])];
  });
  expect(shared.count("low-rank")).toBe(0);
  const known = rewritten(({ op }, x, { low, high }) => [
    op("matmul", [op("matmul", [x, low(2, "public")]), high(2, 5)]),
  ]);
  expect(known.count("low-rank")).toBe(0);
  const chain = rewritten(({ op }, x, { low, high }) => {
    const first = op("matmul", [op("matmul", [x, low(2)]), high(2, 6)]);
    return [op("matmul", [op("matmul", [op("relu", [first]), low(1)]), high(1, 3)])];
  });
  expect(chain.count("low-rank")).toBe(2);
});

test("without a protocol for it nothing is fused", () => {
  const plain = rewritten(({ op }, x, { low, high }) => [op("matmul", [op("matmul", [x, low(2)]), high(2, 5)])], {
    computes: () => false,
  });
  expect([plain.count("low-rank"), plain.count("matmul")]).toEqual([0, 3]);
});

test("an adapter that measures as zero gets the range of its layer", () => {
  const { done, ops } = rewritten(({ op }, x, { low, high }) => {
    const layer = (rank: number, columns: number) =>
      op("add", [
        op("matmul", [x, high(6, columns, "public")]),
        op("matmul", [op("matmul", [x, low(rank)]), high(rank, columns)]),
      ]);
    return [layer(2, 5), layer(1, 3)];
  });
  // B = 0 in the public placeholder.
  const { operands, result } = ops.find((op) => op.name === "low-rank")!;
  const weights = new Map(done.weights);
  for (const id of operands.slice(2)) {
    const name = done.module.params[id]!;
    weights.set(name, { ...weights.get(name)!, data: weights.get(name)!.data.map(() => 0) });
  }
  const noise = createNoise(9);
  const input = new Map(done.module.inputs.map((id) => [id, noise(done.module.values[id]!.type.shape, 2)]));
  const { ranges } = calibrate({ ...done, weights }, [input], { floor: 0 });
  const sums = ops.filter((op) => op.name === "add");
  expect(sums).toHaveLength(2);
  const high = (id: ValueId): number => ranges.get(id)!.hi;
  for (const { operands } of sums) {
    const [base, change] = operands as [ValueId, ValueId];
    expect(high(base)).toBeGreaterThan(1);
    expect(high(change)).toBeGreaterThanOrEqual(high(base));
    expect(high(result)).toBeGreaterThanOrEqual(high(base));
  }
});
