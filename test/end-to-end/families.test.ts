import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { readInputTensors } from "../../compiler/inputs/input-tensors.ts";
import { opsOf } from "../../ir/module.ts";
import type { Tensor } from "../../ir/tensor.ts";
import { declaredError } from "../../scripts/tables/declared-error.ts";
import { models } from "../harness/fixtures.ts";
import { build, inputsOf, queryOnce } from "./compiled.ts";
import { largestDifference } from "./declared-error.ts";

/*
 * Models of three families as two exporters write them, from the ONNX file to three parties: what they compute is what
 * the file's own test data says, within the error that scales, depth and declared errors of the protocols allow.
 */
const dir = mkdtempSync(join(tmpdir(), "marillc-families-"));
afterAll(() => rmSync(dir, { recursive: true }));

const modelOf = (name: string): string => join(models, name, "model.onnx");
const dataOf = (name: string): string => join(models, name, "test_data_set_0");
const expectedOf = (name: string): Tensor =>
  [...readInputTensors(join(dataOf(name), "output_0.pb")).values()][0]!.tensor;
const reveal = { logits: "client" } as const;

interface Family {
  readonly exports: readonly string[];
  /** The last layer and the head: the client computes the rest. */
  readonly upper: readonly string[];
  /** What the secure part consists of when everything is private, as often as it must be there. */
  readonly operators: Readonly<Record<string, number>>;
}
const families: Readonly<Record<string, Family>> = {
  llama: {
    exports: ["dev_llama_ts17_static", "dev_llama_ts17_dynamic", "dev_llama_dy18_static"],
    upper: ["model.layers.1.*", "model.norm.*", "lm_head.*"],
    operators: { attention: 2, "rms-norm": 5, rope: 4, silu: 2 },
  },
  gpt2: {
    exports: ["dev_gpt2_ts17_static", "dev_gpt2_dy18_static"],
    // The head is tied to the embedding, so it is as public as that is.
    upper: ["transformer.h.1.*", "transformer.ln_f.*"],
    operators: { attention: 2, "layer-norm": 5, gelu: 2 },
  },
  bert: {
    exports: ["dev_bert_ts14_dynamic", "dev_bert_dy18_static", "dev_bert_dy23_static"],
    upper: ["bert.encoder.layer.1.*", "bert.pooler.*", "classifier.*"],
    operators: { attention: 2, "layer-norm": 5, gelu: 2, tanh: 1 },
  },
};

const cases = Object.values(families).flatMap(({ exports, upper, operators }) =>
  exports.flatMap((name) => [
    { name, secret: "everything", patterns: ["*"], operators },
    { name, secret: "the upper half", patterns: upper, operators: { attention: 1 } },
  ]),
);

describe("families of models", () => {
  it.each(cases)("$name, $secret private: as its test data, within the declared error", async (each) => {
    const { name, secret, patterns, operators } = each;
    const out = join(dir, `${name} ${secret}`);
    const { module, manifest } = build(out, {
      model: modelOf(name),
      // What ranges are measured with in the place of private weights; they are private none the less.
      base: modelOf(name),
      private: patterns,
      reveal,
      calibrate: dataOf(name),
      ...(name.endsWith("dynamic") && { dims: { batch_size: 1, sequence_length: 6 } }),
    });
    const inputs = inputsOf(dataOf(name));
    const { outputs, report } = await queryOnce(out, inputs);
    const expected = expectedOf(name);
    const found = outputs.get("logits")!;
    expect(found.shape).toEqual(expected.shape);
    const bound = await declaredError(out, ...inputs);
    expect(largestDifference(found.data, expected.data)).toBeLessThan(bound);
    // It is a bound that says something: well below the logits themselves.
    expect(bound).toBeLessThan(Math.max(...expected.data.map(Math.abs)) / 4);
    expect(report.measured).toEqual(report.predicted);

    const counts: Record<string, number> = {};
    for (const op of opsOf(module)) counts[op.name] = (counts[op.name] ?? 0) + 1;
    expect(counts).toMatchObject(operators);
    // Padding reaches every attention, as a mask of the client's.
    for (const op of opsOf(module)) if (op.name === "attention") expect(op.operands).toHaveLength(4);
    // The client looks tokens up by itself, unless the table is private.
    const enters = manifest.cuts.map(({ tensor }) => tensor);
    expect(enters.includes("input_ids")).toBe(secret === "everything");
  });

  it("a private adapter on the public base is the model that was tuned, within the declared error", async () => {
    const [base, tuned] = ["dev_llama_ts17_static", "dev_lora_llama_ts17_static"];
    const out = join(dir, "adapter");
    const adapter = join(models, tuned, "adapter");
    // Drawn at random, this adapter moves activations further than the margin for trained ones allows.
    const margin = 8;
    const { manifest } = build(out, { model: modelOf(base), adapter, reveal, calibrate: dataOf(base), margin });
    expect(manifest.cuts.map(({ tensor }) => tensor)).not.toContain("input_ids");
    const inputs = inputsOf(dataOf(tuned));
    const { outputs } = await queryOnce(out, inputs);
    const expected = expectedOf(tuned);
    const found = outputs.get("logits")!;
    expect(largestDifference(found.data, expected.data)).toBeLessThan(await declaredError(out, ...inputs));
    // The base answers something else.
    expect(largestDifference(expectedOf(base).data, expected.data)).toBeGreaterThan(0.1);
  });
});
