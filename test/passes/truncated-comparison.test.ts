import { describe, expect, test } from "vitest";
import { interpret } from "../../ir/interpret.ts";
import { opsOf } from "../../ir/module.ts";
import { tensor } from "../../ir/tensor.ts";
import { rewritePass } from "../../passes/2-rewrite/index.ts";
import { runPass } from "../../passes/pass.ts";
import { type Kit, model } from "./models.ts";
import { secure } from "./rewriting.ts";

/** Numbers at, just below and just above integers of both signs. */
const numbers = [-2, -1, 0, 1, 2].flatMap((n) => [n - 0.25, n, n + 0.25]);

/** trunc(x) compared with c, for a private x: x is the input minus a private zero. */
function comparing(kind: string, c: number, side: "left" | "right") {
  const build = ({ op, feature, weight }: Kit) => {
    const x = op("sub", [feature("x", [1, numbers.length]), weight("zero", "server", tensor([], [0]))]);
    const cast = op("cast", [x], { to: "i64" });
    const bound = weight("c", "public", tensor([], [c]));
    return [op("compare", side === "left" ? [cast, bound] : [bound, cast], { kind })];
  };
  const { state } = secure(model(build));
  const done = runPass(rewritePass(), state);
  const inputs = new Map(state.module.inputs.map((id) => [id, tensor([1, numbers.length], numbers)]));
  const [before, after] = [state, done].map(({ module, weights }) => [...interpret(module, weights, inputs).values()]);
  return { before, after, names: opsOf(done.module).map(({ name }) => name) };
}

describe.each(["left", "right"] as const)("a number that is cast to an integer, on the %s", (side) => {
  test.each([
    "equal",
    "less",
    "less-or-equal",
    "greater",
    "greater-or-equal",
  ])("%s: the number itself is compared", (kind) => {
    for (const c of [-2, -1, 0, 1, 2]) {
      const { before, after, names } = comparing(kind, c, side);
      expect(names).not.toContain("cast");
      expect([c, [...after![0]!.data]]).toEqual([c, [...before![0]!.data]]);
    }
  });
});
