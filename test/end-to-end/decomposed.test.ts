import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import type { ModelOptions } from "../../compiler/api/model-options.ts";
import type { Compilation } from "../../compiler/compile/compile.ts";
import { readInputTensors } from "../../compiler/inputs/input-tensors.ts";
import { readInputFiles } from "../../compiler/run/input-files.ts";
import { openOnnxSession } from "../../compiler/run/onnx-session.ts";
import { opsOf } from "../../ir/module.ts";
import type { Tensor } from "../../ir/tensor.ts";
import { declaredError } from "../../scripts/tables/declared-error.ts";
import { models } from "../harness/fixtures.ts";
import { build, inputsOf, queryOnce } from "./compiled.ts";
import { largestDifference } from "./declared-error.ts";
import { type Masking, writeDecomposed } from "./decomposed-model.ts";

/*
 * Nothing depends on a pattern being recognised: with the recognisers off, norms, activations and attention go through
 * as the sums, products, roots and softmaxes that they are written with.
 */
const dir = mkdtempSync(join(tmpdir(), "marillc-decomposed-"));
afterAll(() => rmSync(dir, { recursive: true }));

/** What the recognisers would have made. */
const recognised: readonly string[] = ["attention", "rms-norm", "rope", "silu", "gelu"];

/** Compiles without recognisers and holds one query of three parties against what is expected. */
async function check(
  out: string,
  options: ModelOptions,
  inputs: readonly string[],
  name: string,
  expected: Tensor,
): Promise<Compilation> {
  const artifacts = build(out, options, { fuse: false });
  for (const { name } of opsOf(artifacts.module)) expect(recognised).not.toContain(name);
  const { outputs, report } = await queryOnce(out, inputs);
  const found = outputs.get(name)!;
  expect(found.shape).toEqual(expected.shape);
  const bound = await declaredError(out, ...inputs);
  expect(largestDifference(found.data, expected.data)).toBeLessThan(bound);
  // It is a bound that says something.
  expect(bound).toBeLessThan(Math.max(...expected.data.map(Math.abs)) / 4);
  expect(report.measured).toEqual(report.predicted);
  return artifacts;
}

describe("a block written in small operators", () => {
  it.each<Masking>(["added", "chosen"])("with a mask that is %s: as onnxruntime has it", async (masking) => {
    const { input, ...files } = writeDecomposed(join(dir, masking), masking);
    const plain = await openOnnxSession(files.model);
    const expected = (await plain.run(readInputFiles([input]))).get("y")!.tensor;
    await plain.release();
    const { model, base, calibrate } = files;
    const options = { model, base, calibrate, reveal: { y: "client" } } as const;
    const { manifest, module } = await check(join(dir, `${masking}-build`), options, [input], "y", expected);
    expect(opsOf(module).map(({ name }) => name)).toEqual(
      expect.arrayContaining(["softmax", "erf", "sigmoid", "rsqrt"]),
    );
    // A mask of numbers is bounded where the client shares it; a condition needs no bound.
    expect(manifest.cuts.filter(({ least }) => least !== undefined)).toHaveLength(masking === "added" ? 1 : 0);
  });
});

const exported = [
  { name: "dev_llama_ts17_static", upper: ["model.layers.1.*", "model.norm.*", "lm_head.*"] },
  { name: "dev_gpt2_ts17_static", upper: ["transformer.h.1.*", "transformer.ln_f.*"] },
  { name: "dev_bert_ts14_dynamic", upper: ["bert.encoder.layer.1.*", "bert.pooler.*", "classifier.*"] },
];

describe("exports without recognisers", () => {
  it.each(exported)("$name: as its test data, within the declared error", async ({ name, upper }) => {
    const model = join(models, name, "model.onnx");
    const data = join(models, name, "test_data_set_0");
    const options: ModelOptions = {
      model,
      base: model,
      private: upper,
      reveal: { logits: "client" },
      calibrate: data,
      ...(name.endsWith("dynamic") && { dims: { batch_size: 1, sequence_length: 6 } }),
    };
    const [expected] = readInputTensors(join(data, "output_0.pb")).values();
    await check(join(dir, name), options, inputsOf(data), "logits", expected!.tensor);
  });
});
