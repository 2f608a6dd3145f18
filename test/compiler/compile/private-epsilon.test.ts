import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { loadCompiler } from "../../../compiler/api/compile.ts";
import { type ModelOptions, resolveModelOptions } from "../../../compiler/api/model-options.ts";
import { writeNpz } from "../../../compiler/tensors/index.ts";
import { DiagnosticError } from "../../../ir/diagnostic.ts";
import { tensor } from "../../../ir/tensor.ts";
import { floatInfo, floatTensor, modelBytes, node } from "../onnx/format/build-model.ts";

const dir = mkdtempSync(join(tmpdir(), "marillc-epsilon-"));
afterAll(() => rmSync(dir, { recursive: true }));

let calibrate: string;
let compileModel: Awaited<ReturnType<typeof loadCompiler>>["compileModel"];

beforeAll(async () => {
  ({ compileModel } = await loadCompiler());
  calibrate = join(dir, "calibration");
  mkdirSync(calibrate);
  const x = tensor([1, 4], [0.5, 1.75, -0.25, -1.5]);
  writeFileSync(join(calibrate, "x.npz"), writeNpz(new Map([["x", { dtype: "float32", tensor: x }]])));
});

/** 1 / (|x·W| + ε), of which all weights are private. */
function inverse(epsilon: number): string {
  const path = join(dir, `${epsilon}.onnx`);
  const weight = Array.from({ length: 16 }, (_, k) => Math.fround(Math.sin(k)));
  const graph = {
    name: "inverse",
    initializer: [floatTensor("fc.weight", [4, 4], weight), floatTensor("eps", [1], [epsilon])],
    input: [floatInfo("x", 1, 4)],
    output: [floatInfo("y", 1, 4)],
    node: [
      node("MatMul", ["x", "fc.weight"], ["h"], "/fc/MatMul"),
      node("Abs", ["h"], ["size"], "/Abs"),
      node("Add", ["size", "eps"], ["sum"], "/Add"),
      node("Reciprocal", ["sum"], ["y"], "/Reciprocal"),
    ],
  };
  writeFileSync(path, modelBytes(graph));
  return path;
}

function compiled(epsilon: number, more: Partial<ModelOptions> = {}) {
  const options = { model: inverse(epsilon), private: ["*"], reveal: { y: "client" as const }, calibrate, ...more };
  try {
    return compileModel(resolveModelOptions(options)).manifest;
  } catch (error) {
    if (error instanceof DiagnosticError) return error.diagnostics;
    throw error;
  }
}

test("a private epsilon has the lower end of the base's, and the provider refuses a smaller one", () => {
  expect(compiled(0.25, { base: inverse(0.25) })).toMatchObject({ name: expect.any(String) });
  expect(compiled(0.08, { base: inverse(0.25) })).toMatchObject({ name: expect.any(String) });
  expect(compiled(0.03, { base: inverse(0.25) })).toMatchObject([
    {
      code: "MRL0504",
      message: expect.stringContaining("expected values of at least 0.0625"),
      help: expect.stringContaining("--publish-ranges"),
    },
  ]);
});

test("without a base the advice is the option that makes its lower end public, and that compiles", () => {
  expect(compiled(0.25)).toMatchObject([
    { code: "MRL0521", help: expect.stringMatching(/this was tried, and compiles: --publish-ranges$/) },
  ]);
  const listed = compiled(0.25, { publishRanges: true });
  expect(listed).toMatchObject({
    calibration: {
      published: { bounds: expect.arrayContaining([{ value: expect.any(String), bound: "least", exponent: -2 }]) },
    },
  });
});

test("an epsilon of 0 is no lower end, and no option is advised", () => {
  const found = compiled(0, { publishRanges: true });
  expect(found).toMatchObject([{ code: "MRL0521", help: expect.not.stringContaining("was tried") }]);
});
