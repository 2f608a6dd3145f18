import { expect, test } from "vitest";
import { interpret } from "../../ir/interpret.ts";
import type { Label } from "../../ir/label.ts";
import type { ValueId } from "../../ir/module.ts";
import { type Tensor, tensor } from "../../ir/tensor.ts";
import { bool } from "../../ir/type.ts";
import { split } from "../../passes/1-split/split.ts";
import { hasFullRowRank } from "../../passes/2-rewrite/full-row-rank.ts";
import { rewrite, rewritePass, rewrites } from "../../passes/2-rewrite/index.ts";
import { runPass } from "../../passes/pass.ts";
import { block, codesOf, createNoise, type Kit, largestDifference, model } from "./models.ts";
import { check, positive, reveal, secret, secure } from "./rewriting.ts";

test.each<[string, (kit: Kit, x: ValueId) => ValueId, readonly string[]]>([
  ["neg", ({ op }, x) => op("neg", [x]), ["sub"]],
  ["clip", ({ op }, x) => op("clip", [op("abs", [x])], { lo: -0.5, hi: 0.25 }), ["abs", "clip"]],
  ["a maximum with 0", ({ op, weight }, x) => op("maximum", [weight("zero", "public", tensor([], [0])), x]), ["relu"]],
  [
    "a maximum with a weight",
    ({ op, weight, noise }, x) => op("maximum", [weight("c", "server", noise([4])), x]),
    ["sub", "relu", "add"],
  ],
  [
    "a minimum with a weight",
    ({ op, weight, noise }, x) => op("minimum", [x, weight("c", "server", noise([4]))]),
    ["sub", "relu", "sub"],
  ],
  [
    "a minimum with a public number",
    ({ op, weight, noise }, x) => op("minimum", [x, weight("c", "public", noise([4]))]),
    ["minimum"],
  ],
  ["a maximum of two secrets", ({ op }, x) => op("maximum", [x, op("tanh", [x])]), ["tanh", "sub", "relu", "add"]],
  [
    "a computed condition stays a bit",
    ({ op, weight }, x) => {
      const [one, two] = [1, 2].map((value) => weight(`${value}`, "public", tensor([], [value]))) as [string, string];
      const shut = op("not", [op("compare", [x, one], { kind: "less" })]);
      const sum = op("add", [op("cast", [shut], { to: "f32" }), op("where", [shut, one, two])]);
      return op("add", [sum, op("mul", [op("cast", [shut], { to: "f32" }), x])]);
    },
    ["compare", "not", "cast", "where", "add", "where", "add"],
  ],
  ["mean", ({ op }, x) => op("reduce-mean", [x], { axes: [-1] }), ["reduce-sum", "mul"]],
  ["sqrt", (kit, x) => kit.op("sqrt", [positive(kit, x)]), ["mul", "add", "rsqrt", "mul"]],
  [
    "division by a root",
    (kit, x) => kit.op("div", [x, kit.op("sqrt", [positive(kit, x)])]),
    ["mul", "add", "rsqrt", "mul"],
  ],
  [
    "division by a power",
    (kit, x) => kit.op("div", [x, kit.op("pow", [positive(kit, x), kit.weight("half", "public", tensor([], [0.5]))])]),
    ["mul", "add", "rsqrt", "mul"],
  ],
  ["division by a secret", (kit, x) => kit.op("div", [x, positive(kit, x)]), ["mul", "add", "reciprocal", "mul"]],
  [
    "division by a constant",
    (kit, x) => kit.op("div", [kit.op("relu", [x]), kit.weight("c", "public", kit.noise([4]))]),
    ["relu", "mul"],
  ],
  [
    "one over a root",
    (kit, x) => kit.op("div", [kit.weight("1", "public", tensor([], [1])), kit.op("sqrt", [positive(kit, x)])]),
    ["mul", "add", "rsqrt"],
  ],
  [
    "a condition's complement as a number",
    (kit, x) => {
      const c = kit.input("c", { label: "shared", element: bool, shape: [1, 4] });
      const absent = kit.weight("absent", "public", tensor([], [-1e4]));
      const shut = kit.op("cast", [kit.op("not", [c])], { to: "f32" });
      return kit.op("add", [x, kit.op("mul", [shut, absent])]);
    },
    ["sub", "mul", "add"],
  ],
  [
    "a condition as a number",
    (kit, x) => {
      const c = kit.input("c", { label: "shared", element: bool, shape: [1, 4] });
      return kit.op("add", [x, kit.op("cast", [c], { to: "f32" })]);
    },
    ["add"],
  ],
  [
    "selection between public numbers",
    (kit, x) => {
      const c = kit.input("c", { label: "shared", element: bool, shape: [1, 4] });
      const [zero, absent] = [0, -1e4].map((value) => kit.weight(`${value}`, "public", tensor([], [value])));
      return kit.op("add", [x, kit.op("where", [c, zero!, absent!])]);
    },
    ["mul", "add", "add"],
  ],
  [
    "public selection of two secrets",
    (kit, x) => {
      const c = kit.weight("c", "public", tensor([3, 1], [1, 0, 1]), bool);
      return kit.op("where", [c, x, kit.op("tanh", [x])]);
    },
    ["tanh", "mul", "mul", "add"],
  ],
  [
    "public selection of a secret or a weight",
    (kit, x) => {
      const c = kit.weight("c", "public", tensor([3, 1], [1, 0, 1]), bool);
      return kit.op("where", [c, kit.weight("y", "public", kit.noise([4])), kit.op("relu", [x])]);
    },
    ["relu", "mul", "add"],
  ],
  [
    "public selection of a secret or zero",
    (kit, x) => {
      const c = kit.weight("c", "public", tensor([3, 1], [1, 0, 1]), bool);
      return kit.op("where", [c, kit.op("relu", [x]), kit.weight("zero", "public", tensor([], [0]))]);
    },
    ["relu", "mul"],
  ],
  ["cube", (kit, x) => kit.op("pow", [x, kit.weight("three", "public", tensor([], [3]))]), ["mul", "mul"]],
  [
    "inverse fifth power",
    (kit, x) => kit.op("pow", [positive(kit, x), kit.weight("five", "public", tensor([], [-5]))]),
    ["mul", "add", "mul", "mul", "mul", "reciprocal"],
  ],
  [
    "power of positive numbers",
    (kit, x) => kit.op("pow", [positive(kit, x), kit.weight("c", "public", tensor([], [1.7]))]),
    ["mul", "add", "log", "mul", "exp"],
  ],
])("decompose rewrites %s", (_name, build, expected) => {
  const { names } = check((kit) => [build(kit, secret(kit))]);
  expect(names.slice(2, -1)).toEqual(expected);
});

test("a law does not apply if an operand broadcasts the shape", () => {
  const { names } = check((kit) => [
    kit.op("maximum", [secret(kit), kit.weight("zeros", "public", tensor([2, 1, 1], [0, 0]))]),
  ]);
  expect(names).toContain("maximum");
});

test("decompose refuses all unknown exponents at once, and no known one", () => {
  const powers = (...exponents: readonly ("unknown" | number)[]) =>
    secure(
      model((kit) => {
        const x = positive(kit, secret(kit));
        const known = (e: number, i: number): string => kit.weight(`e${i}`, "public", tensor([], [e]));
        return exponents.map((e, i) =>
          kit.op("pow", [x, e === "unknown" ? kit.op("mul", [x, known(i + 2, i)]) : known(e, i)]),
        );
      }),
    ).state;
  expect(codesOf(() => rewrite(powers("unknown", 2, "unknown")))).toEqual(["MRL0490", "MRL0490"]);
  expect(codesOf(() => rewrite(powers(2, 3, 1.7, -5, 0)))).toEqual([]);
});

test("lora: the low-rank change is never formed", () => {
  const { names, done } = check((kit) => {
    const { op, weight, noise } = kit;
    const change = op("matmul", [weight("A", "server", noise([4, 2])), weight("B", "server", noise([2, 5]))]);
    return [op("matmul", [secret(kit), op("add", [weight("W", "public", noise([4, 5])), change])])];
  });
  expect(names.filter((name) => name === "matmul")).toHaveLength(4);
  const shapes = Object.keys(done.module.params).map((id) => done.module.values[id]!.type.shape);
  expect(shapes).toEqual(
    expect.arrayContaining([
      [4, 2],
      [2, 5],
      [4, 5],
    ]),
  );
  expect(shapes).toHaveLength(4);
});

test("fuse-matmuls: private weights on one value become one product, public ones stay separate", () => {
  const { names, done } = check((kit) => {
    const x = secret(kit);
    const product = (id: string, label: Label, columns: number): ValueId =>
      kit.op("matmul", [x, kit.weight(id, label, kit.noise([4, columns]))]);
    return [product("q", "server", 4), product("p", "public", 3), product("k", "server", 2)];
  });
  expect(names.filter((name) => name === "matmul")).toHaveLength(3);
  expect(names.filter((name) => name === "slice")).toHaveLength(2);
  const fused = Object.values(done.module.params).find((name) => name.includes("|"));
  expect(done.weights.get(fused!)!.shape).toEqual([4, 6]);
});

test("fold-constants and cancel-layout remove all redundant operators", () => {
  const { names } = check((kit) => {
    const { op, weight, noise } = kit;
    const turned = op("transpose", [op("relu", [weight("c", "public", noise([4, 3]))])], { perm: [1, 0] });
    const there = op("transpose", [secret(kit)], { perm: [1, 0] });
    const back = op("transpose", [there], { perm: [1, 0] });
    const shaped = op("reshape", [op("reshape", [op("add", [back, turned])], { shape: [12] })], { shape: [3, 4] });
    const cut = op("slice", [shaped], { starts: [0, 0], ends: [3, 4], steps: [1, 1] });
    return [op("add", [op("relu", [cut]), op("relu", [shaped])])];
  });
  expect(names).toEqual(["share", "matmul", "add", "relu", "add", "reveal"]);
});

test("private-embedding: the client sends one-hot rows", () => {
  const whole = model(({ op, weight, ids, noise }) => {
    const table = weight("table", "server", noise([5, 4]));
    return [op("gather", [table, ids("tokens", [1, 3])], { axis: 0 })];
  });
  const { state } = secure(whole);
  const done = runPass(rewritePass(), state);
  expect(done.client.cuts).toEqual([{ value: "tokens.one_hot", source: "tokens", oneHot: 5 }]);
  expect(done.module.inputs).toEqual(["tokens.one_hot"]);
  const tokens = tensor([1, 3], [4, 0, 2]);
  const rows = tensor([1, 3, 5], [0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 1, 0, 0]);
  const [expected] = interpret(whole.module, whole.weights, new Map([["tokens", tokens]])).values();
  const [found] = interpret(done.module, done.weights, new Map([["tokens.one_hot", rows]])).values();
  expect(largestDifference(found!, expected!)).toBe(0);
});

test.each(["attention", "softmax"])("clamp-mask: a masked score of %s stays masked", (name) => {
  const { done } = check((kit) => {
    const x = kit.op("reshape", [secret(kit)], { shape: [1, 1, 3, 4] });
    const mask = kit.weight("mask", "public", tensor([3, 3], [0, -Infinity, -3e38, 0, 0, -Infinity, 0, 0, 0]));
    if (name === "attention") return [kit.op("attention", [x, x, x, mask], { scale: 1 })];
    const scores = kit.op("matmul", [x, kit.op("transpose", [x], { perm: [0, 1, 3, 2] })]);
    return [kit.op("softmax", [kit.op("add", [scores, mask])], { axis: -1 })];
  });
  const [bounded] = [...done.weights].filter(([name]) => name.includes("mask"));
  expect(Math.min(...bounded![1].data)).toBe(-4096);
});

const headed = (head: Tensor, label: Label = "public") =>
  model((kit) => {
    const h = kit.op("relu", [secret(kit)], {}, { result: "h" });
    const product = kit.op("matmul", [h, kit.weight("head", label, head)], {}, { origin: "/head/MatMul" });
    return [
      kit.op("add", [product, kit.weight("bias", "public", kit.noise([head.shape[1]!]))], {}, { result: "logits" }),
    ];
  });

test("relocate-head: the client computes the head if the logits determine its input", () => {
  const state = split(headed(createNoise(3)([4, 9])), reveal("logits"));
  const done = runPass(rewritePass({ head: "logits" }), state);
  expect(done.client.tails).toEqual([{ value: "h.revealed", source: "h", output: "logits" }]);
  expect(done.module.values["h.revealed"]!.type).toMatchObject({ label: "client", shape: [3, 4] });
  expect(rewrite(state).client.tails).toEqual([]);
  expect(
    rewrite(split(headed(createNoise(3)([4, 9]), "server"), reveal("logits")), { head: "logits" }).client.tails,
  ).toEqual([]);
});

test("relocate-head: a head without full row rank is refused", () => {
  const singular = createNoise(3)([4, 9]);
  singular.data.copyWithin(9, 0, 9);
  const state = split(headed(singular), reveal("logits"));
  expect(codesOf(() => rewrite(state, { head: "logits" }))).toEqual(["MRL0304"]);
  expect(codesOf(() => rewrite(state, { head: "token" }))).toEqual([]);
});

test("hasFullRowRank: the tolerance is sharp to its order", () => {
  const diagonal = (least: number) => tensor([3, 3], [1, 0, 0, 0, 1, 0, 0, 0, least]);
  expect(hasFullRowRank(diagonal(1e-5))).toBe(true);
  expect(hasFullRowRank(diagonal(1e-6))).toBe(false);
  expect(hasFullRowRank(tensor([3, 2], [1, 2, 3, 4, 5, 6]))).toBe(false);
  // The sample of columns is not enough: all of them are needed.
  const sparse = tensor([2, 9], [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
  expect(hasFullRowRank(sparse)).toBe(true);
});

test("each rewrite alone keeps what a block computes", () => {
  const { state, inputs } = secure(block({ normWeightLabel: "server" }));
  const expected = interpret(state.module, state.weights, inputs).get("out")!;
  for (const { name, apply, when } of rewrites) {
    if (when) continue;
    const { module, weights } = apply(state);
    expect(largestDifference(interpret(module, weights, inputs).get("out")!, expected), name).toBeLessThan(1e-9);
  }
});
