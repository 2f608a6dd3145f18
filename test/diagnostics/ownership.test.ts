import { mkdirSync } from "node:fs";
import { expect, test } from "vitest";
import { marillc } from "../cli/run-cli.ts";
import { floatInfo, floatTensor, modelBytes, node } from "../compiler/onnx/format/build-model.ts";
import { numbers } from "../end-to-end/tiny-model.ts";
import { npz, workFolder } from "./walk.ts";

/* A refusal says which option made a weight private that its user did not mean, and the option that makes it public. */

const { at, put } = workFolder("ownership");
mkdirSync(at("calib"));
put(
  "calib/0.npz",
  npz({
    x: [
      [1, 2, 3, 4],
      [-1, 0, 1, 0.5],
    ],
  }),
);
/** log(sigmoid(x·w) + 1): a number without a parameter's name decides whether the logarithm has a value. */
const model = put(
  "model.onnx",
  modelBytes({
    name: "shifted",
    initializer: [floatTensor("fc.weight", [4, 4], numbers(16, 1, 0.5)), floatTensor("one", [], [1])],
    input: [floatInfo("x", 2, 4)],
    output: [floatInfo("y", 2, 4)],
    node: [
      node("MatMul", ["x", "fc.weight"], ["h"], "/fc/MatMul"),
      node("Sigmoid", ["h"], ["s"], "/Sigmoid"),
      node("Add", ["s", "one"], ["t"], "/Add"),
      node("Log", ["t"], ["y"], "/Log"),
    ],
  }),
);
const check = (...owners: readonly string[]) =>
  marillc("check", model, ...owners, "--reveal", "*:client", "--calibrate", at("calib"));

test.each([
  ["fc*", "the file does not say which parameter it is, so --private fc* may mean it"],
  ["*", "named by --private *"],
])("--private '%s' takes a constant too: the refusal behind it says so, and what makes it public", async (pattern, why) => {
  const { code, out } = await check("--private", pattern);
  expect(code).toBe(1);
  expect(out).toMatch(/error MRL0521/);
  expect(out).toContain(`because one is private: ${why}; --public 'one' makes it public`);
  const after = await check("--private", pattern, "--public", "one");
  expect(after.out).toContain("PASSED");
  expect(after.code).toBe(0);
});

test("a weight that is meant is not named", async () => {
  const { out } = await check("--private", "fc*", "--private", "one");
  expect(out).toMatch(/error MRL0521/);
  expect(out).not.toContain("is private:");
});
