import { expect, test } from "vitest";
import { parse } from "../../ir/text/parse.ts";
import { print } from "../../ir/text/print.ts";
import { splitPass } from "../../passes/1-split/split.ts";
import { rewritePass } from "../../passes/2-rewrite/index.ts";
import { type Pass, runPass } from "../../passes/pass.ts";
import { block, codesOf } from "./models.ts";

const splitOut = splitPass({ reveal: [{ output: "out", to: "client" }] });

test("a pass runs only between the stages that it names", () => {
  const state = runPass(splitOut, block());
  expect(codesOf(() => runPass(splitOut, state))).toEqual(["MRL0320"]);
  const done = runPass(rewritePass(), state);
  expect(codesOf(() => runPass(rewritePass(), done))).toEqual(["MRL0320"]);
});

test("runPass verifies what a pass promises", () => {
  const state = block();
  const idle: Pass = { name: "idle", requires: "import", ensures: "split", run: (same) => same };
  expect(() => runPass(idle, state)).toThrow("promised stage split, made import");
  const forgetful: Pass = {
    ...idle,
    run: ({ module }) => ({ module: { ...module, stage: "split" }, weights: new Map() }),
  };
  expect(new Set(codesOf(() => runPass(forgetful, state)))).toEqual(new Set(["MRL0321"]));
});

test("a module prints and parses back after every pass", () => {
  const first = runPass(splitOut, block());
  for (const { module } of [first, runPass(rewritePass(), first)]) expect(parse(print(module))).toEqual(module);
});
