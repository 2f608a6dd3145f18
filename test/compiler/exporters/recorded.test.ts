import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { readModel } from "../../../compiler/onnx/normalize/read-model.ts";
import { importedResult, secureResult } from "../../../scripts/tables/family-result.ts";
import { type RecordedModel, readRecordedModel } from "../../../scripts/tables/recorded-model.ts";
import { foldersOf } from "../../harness/fixtures.ts";

const folder = fileURLToPath(new URL("../../../fixtures/exporters", import.meta.url));
const names = foldersOf(folder).filter((name) => name.includes("-"));

/** After a past, the filled positions must be known: all of them. */
const recorded = (name: string): RecordedModel =>
  readRecordedModel(join(folder, name), new Map(name.endsWith("-next") ? [["attention_mask", 1]] : []));

const recognised: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  "fused-bert-ts14-eager-static": { attention: 2, "layer-norm": 5, gelu: 2 },
  "genai-gemma2-int4-prompt": { softmax: 2, "rms-norm": 9, gelu: 2 },
  "genai-llama-int4-prompt": { attention: 2, "rms-norm": 5, rope: 4, silu: 2 },
  // Queries and keys have norms of their own, inside attention.
  "genai-qwen3-fp16-next": { attention: 2, "rms-norm": 9, rope: 4, silu: 2 },
};

describe("models of ONNX Runtime's model builder and optimizer", () => {
  it("are complete", () => expect(names).toEqual(Object.keys(recognised)));

  it.each(names)("%s is fused, and equals ONNX Runtime in its own precision", (name) => {
    const { imported, operators } = importedResult(recorded(name));
    expect(imported).toMatchObject({ kind: "passes" });
    expect(operators).toMatchObject(recognised[name]!);
  });

  it.each(names)("%s with all weights private is within the declared error, by three parties", async (name) => {
    expect(await secureResult(recorded(name))).toMatchObject({ kind: "passes" });
  });

  it("treats a quantized embedding that is also the head as one weight", () => {
    const { initializers } = readModel(join(folder, "genai-gemma2-int4-prompt", "model.onnx")).graph;
    const tables = [...initializers.values()].filter(({ dims }) => dims.includes(40));
    expect(tables.map(({ name, dims }) => [name, dims])).toEqual([["lm_head.MatMul.weight", [32, 40]]]);
  });
});
