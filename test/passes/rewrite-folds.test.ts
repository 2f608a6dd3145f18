import { expect, test } from "vitest";
import { interpret } from "../../ir/interpret.ts";
import type { Label } from "../../ir/label.ts";
import { opsOf } from "../../ir/module.ts";
import { rewrite } from "../../passes/2-rewrite/index.ts";
import { block, type Kit, largestDifference } from "./models.ts";
import { check, secret, secure } from "./rewriting.ts";

const withNormWeight = (normWeight: Label, bias: Label | undefined) => (kit: Kit) => {
  const { op, weight, noise } = kit;
  const scaled = op("mul", [op("layer-norm", [secret(kit)], { epsilon: 1e-5 }), weight("g", normWeight, noise([4]))]);
  const x = bias ? op("add", [scaled, weight("b", bias, noise([4]))]) : scaled;
  const adapter = op("matmul", [
    op("matmul", [x, weight("A", "server", noise([4, 2]))]),
    weight("B", "server", noise([2, 5])),
  ]);
  return [op("add", [op("matmul", [x, weight("W", "public", noise([4, 5]))]), adapter])];
};

test("fold-norm-weight: public and private weights absorb a public norm weight", () => {
  const { names, done } = check(withNormWeight("public", undefined));
  expect(names).not.toContain("mul");
  const labels = Object.entries(done.module.params).map(([id, name]) => [name, done.module.values[id]!.type.label]);
  expect(labels).toContainEqual(["model.W*model.g", "public"]);
  expect(labels).toContainEqual(["model.A*model.g", "server"]);
});

test("fold-norm-weight: a bias folds too, also a private one", () => {
  expect(check(withNormWeight("public", "server")).names).not.toContain("mul");
});

const square = { strides: [1, 1], pads: [1, 1, 1, 1], dilations: [1, 1], group: 2 };
/** A convolution in two groups, a bias, and a scale and a shift per channel as of batch normalization. */
const normalized = (kernels: Label, scale: Label) => (kit: Kit) => {
  const { op, weight, noise, feature } = kit;
  const hidden = op("mul", [feature("x", [1, 4, 5, 5]), weight("own", "server", noise([4, 1, 1]))]);
  const sums = op("conv", [hidden, weight("k", kernels, noise([6, 2, 3, 3]))], square);
  const biased = op("add", [sums, weight("c", kernels, noise([6, 1, 1]))]);
  const scaled = op("mul", [biased, weight("g", scale, noise([6, 1, 1]))]);
  return [op("add", [scaled, weight("b", scale, noise([6, 1, 1]))])];
};

test("fold-channel-scale: the kernels and the bias absorb a batch normalization", () => {
  const cases: readonly (readonly [Label, Label])[] = [
    ["server", "server"],
    ["server", "public"],
    ["public", "public"],
  ];
  for (const [kernels, scale] of cases) {
    const { names } = check(normalized(kernels, scale));
    expect(names).toEqual(["share", "mul", "conv", "add", "add", "reveal"]);
  }
  // Public kernels stay public.
  expect(check(normalized("public", "server")).names.filter((name) => name === "mul")).toHaveLength(2);
});

test("fold-channel-scale: a matrix absorbs a scale too; a value with another reader and a single factor stay", () => {
  const build =
    (size: number, second: boolean) =>
    ({ op, weight, noise, feature }: Kit) => {
      const y = op("matmul", [feature("x", [3, 4]), weight("w", "server", noise([4, 5]))]);
      const z = op("mul", [y, weight("g", "server", noise([size]))]);
      return [op("relu", [z]), ...(second ? [op("tanh", [y])] : [])];
    };
  expect(check(build(5, false)).names).not.toContain("mul");
  expect(check(build(5, true)).names).toContain("mul");
  expect(check(build(1, false)).names).toContain("mul");
});

test("pool-before-relu: maxima come before relu, unless relu has another reader", () => {
  const pool = { kernel: [2, 2], strides: [2, 2], pads: [0, 0, 0, 0], dilations: [1, 1] };
  const build =
    (second: boolean) =>
    ({ op, weight, noise, feature }: Kit) => {
      const x = op("mul", [feature("x", [1, 2, 4, 4]), weight("w", "server", noise([2, 1, 1]))]);
      const positive = op("relu", [x]);
      return [op("max-pool", [positive], pool), ...(second ? [positive] : [])];
    };
  expect(check(build(false)).names).toEqual(["share", "mul", "max-pool", "relu", "reveal"]);
  expect(check(build(true)).names).toEqual(["share", "mul", "relu", "max-pool", "reveal", "reveal"]);
});

test("fold-norm-weight: a private norm weight does not make a public weight private", () => {
  expect(check(withNormWeight("server", undefined)).names).toContain("mul");
});

test("fold-scale: the rotary tables of the queries absorb the scale", () => {
  const { state, inputs } = secure(block());
  const done = rewrite(state);
  const attention = opsOf(done.module).find((op) => op.name === "attention")!;
  expect(attention.attrs.scale).toBe(Math.LN2);
  const [before, after] = [state, done].map(({ module, weights }) => interpret(module, weights, inputs).get("out")!);
  expect(largestDifference(after!, before!)).toBeLessThan(1e-9);
});

test("fold-scale: without rotation, every weight behind the queries absorbs the scale", () => {
  const build = (extra: boolean) => (kit: Kit) => {
    const { op, weight, noise } = kit;
    const x = op("reshape", [secret(kit)], { shape: [1, 1, 3, 4] });
    const dense = (id: string, label: Label) => op("matmul", [x, weight(id, label, noise([4, 4]))]);
    const biased = op("add", [dense("q", "public"), weight("bias", "public", noise([4]))]);
    const low = op("matmul", [
      op("matmul", [x, weight("A", "server", noise([4, 2]))]),
      weight("B", "server", noise([2, 4])),
    ]);
    const q = op("add", [biased, low]);
    const y = op("attention", [q, dense("k", "public"), dense("v", "server")], { scale: 0.5 });
    return extra ? [y, op("relu", [q])] : [y];
  };
  const scaleOf = (extra: boolean) =>
    opsOf(check(build(extra)).done.module).find((op) => op.name === "attention")!.attrs.scale;
  expect(scaleOf(false)).toBe(Math.LN2);
  expect(scaleOf(true)).toBe(0.5);
});

test("fold-weights: operators on private weights alone are folded, also products", () => {
  const { names } = check((kit) => {
    const { op, weight, noise } = kit;
    // Wider than its factors, as the hidden layer of a network over positions.
    const hidden = op("relu", [
      op("matmul", [weight("a", "server", noise([4, 1])), weight("b", "server", noise([1, 6]))]),
    ]);
    const matrix = op("matmul", [hidden, weight("c", "server", noise([6, 5]))]);
    return [op("matmul", [secret(kit), matrix])];
  });
  expect(names.filter((name) => name === "matmul" || name === "relu")).toEqual(["matmul", "matmul"]);
});

test("a private matrix on the left moves to the right, transposed", () => {
  const { names, done } = check((kit) => {
    const { op, weight, noise } = kit;
    return [op("matmul", [weight("left", "server", noise([5, 3])), secret(kit)])];
  });
  expect(names.filter((name) => name === "matmul")).toHaveLength(2);
  for (const { name, operands } of opsOf(done.module)) {
    if (name === "matmul") expect(done.module.values[operands[1]!]!.type.label).toBe("server");
  }
});
