import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { errorBound } from "../../compiler/accuracy/error-bound.ts";
import { readInputFiles } from "../../compiler/run/input-files.ts";
import { loadPlain, runPlain } from "../../compiler/run/plain.ts";
import { writeNpz } from "../../compiler/tensors/npz.ts";
import { tensor } from "../../ir/tensor.ts";
import { floatInfo, floatTensor, modelBytes, node } from "../compiler/onnx/format/build-model.ts";
import { build } from "./compiled.ts";
import { numbers } from "./tiny-model.ts";

const dir = mkdtempSync(join(tmpdir(), "marillc-bound-"));
afterAll(() => rmSync(dir, { recursive: true }));

/** Long sums: what rounds the weights is far more than what a protocol does to one result. */
const width = 2048;

it("the bound includes the rounding of weights and inputs, which is a fraction of a unit", async () => {
  const [x, w] = [numbers(width, 1, 1), numbers(width, 2, 1)];
  const model = join(dir, "sum.onnx");
  const graph = {
    name: "sum",
    initializer: [floatTensor("fc.weight", [width, 1], w)],
    input: [floatInfo("x", 1, width)],
    output: [floatInfo("y", 1, 1)],
    node: [node("MatMul", ["x", "fc.weight"], ["y"], "/fc/MatMul")],
  };
  writeFileSync(model, modelBytes(graph));
  const calibrate = join(dir, "calibration");
  mkdirSync(calibrate);
  const file = join(calibrate, "x.npz");
  writeFileSync(file, writeNpz(new Map([["x", { dtype: "float32", tensor: tensor([1, width], x) }]])));
  const out = join(dir, "build");
  build(out, { model, base: model, private: ["*"], reveal: { y: "client" }, calibrate });

  const { module, weights } = await loadPlain(out);
  const inputs = new Map([[module.inputs[0]!, tensor([1, width], x)]]);
  const [whole, protocols] = [
    errorBound(module, weights, inputs),
    errorBound(module, weights, inputs, { rounding: "off" }),
  ];
  const found = (await runPlain(out, readInputFiles([file]))).outputs.get("y")!.tensor.data[0]!;
  const error = Math.abs(found - x.reduce((sum, each, at) => sum + each * Math.fround(w[at]!), 0));
  expect(error).toBeGreaterThan(protocols);
  expect(error).toBeLessThan(whole);
});
