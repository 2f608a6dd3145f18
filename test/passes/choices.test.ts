import { expect, test } from "vitest";
import { interpret } from "../../ir/interpret.ts";
import { opsOf } from "../../ir/module.ts";
import { tensor } from "../../ir/tensor.ts";
import { rewritePass } from "../../passes/2-rewrite/index.ts";
import { runPass } from "../../passes/pass.ts";
import { createNoise, largestDifference, model } from "./models.ts";
import { secure } from "./rewriting.ts";

test.each([
  { axis: 0, shape: [2] },
  { axis: 1, shape: [1, 2] },
  { axis: -1, shape: [] },
] as const)("the client selects rows of a secret along axis $axis by its own indices", ({ axis, shape }) => {
  const whole = model(({ op, feature, weight, ids, noise }) => {
    const hidden = op("mul", [feature("x", [3, 3, 3]), weight("w", "server", noise([3]))]);
    return [op("gather", [hidden, ids("places", [...shape])], { axis })];
  });
  for (const lookups of ["one-hot", "private"] as const) {
    const done = runPass(rewritePass({ lookups }), secure(whole).state);
    expect(done.client.cuts).toContainEqual({ value: "places.one_hot", source: "places", oneHot: 3 });
    expect(opsOf(done.module).map(({ name }) => name)).not.toContain("gather");
    const count = shape.reduce((all: number, n) => all * n, 1);
    const rows = Array.from({ length: count }, (_, at) => [Number(at === 1), 0, Number(at === 0)]);
    const x = createNoise(3)([3, 3, 3]);
    const given = new Map([
      ["x", x],
      [
        "places",
        tensor(
          shape,
          rows.map((row) => row.indexOf(1)),
        ),
      ],
      ["places.one_hot", tensor([...shape, 3], rows.flat())],
    ]);
    const [expected] = interpret(whole.module, whole.weights, given).values();
    const [found] = interpret(done.module, done.weights, given).values();
    expect(largestDifference(found!, expected!)).toBeLessThan(1e-12);
  }
});
