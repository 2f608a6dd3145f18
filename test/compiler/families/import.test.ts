import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { importedResult } from "../../../scripts/tables/family-result.ts";
import { readRecordedModel } from "../../../scripts/tables/recorded-model.ts";
import { foldersOf } from "../../harness/fixtures.ts";

const folder = fileURLToPath(new URL("../../../fixtures/families", import.meta.url));
const names = foldersOf(folder).filter((name) => name.includes("-"));

/** The operators of two layers of each family, in whatever form an exporter writes them. */
const decoder = { attention: 2, "rms-norm": 5, rope: 4, silu: 2 };
const encoder = { attention: 2, "layer-norm": 5, gelu: 2 };
const recognised: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  llama: decoder,
  // Rotary frequencies scaled as in LLaMA 3.1.
  llama3: decoder,
  mistral: decoder,
  qwen2: decoder,
  // Queries and keys have norms of their own.
  qwen3: { ...decoder, "rms-norm": 9 },
  phi3: decoder,
  // Scores are capped before their softmax: attention of its own kind. Four norms of a layer.
  gemma2: { "rms-norm": 9, rope: 4, softmax: 2, gelu: 2 },
  gpt2: encoder,
  // Both norms of a layer are of one value: they differ only in their norm weights.
  gpt_neox: { ...encoder, "layer-norm": 3, rope: 4 },
  opt: { attention: 2, "layer-norm": 5, relu: 2 },
  bert: encoder,
  distilbert: encoder,
  roberta: encoder,
  vit: encoder,
};
/** What a fusion should have replaced. */
const parts = ["sqrt", "rsqrt", "pow", "erf", "sigmoid", "is-nan", "reduce-mean"];

describe("exports of the model families", () => {
  it.each(names)("%s is fused, and equals torch in single precision", (name) => {
    const { imported, operators } = importedResult(readRecordedModel(join(folder, name)));
    expect(imported).toMatchObject({ kind: "passes" });
    expect(operators).toMatchObject(recognised[name.split("-")[0]!]!);
    expect(parts.filter((part) => part in operators)).toEqual([]);
  });

  it("covers each exporter for each family, and each option for three", () => {
    const of = (pattern: RegExp): number =>
      new Set(names.filter((name) => pattern.test(name)).map((name) => name.split("-")[0])).size;
    expect([of(/-ts\d/), of(/-dy\d/)]).toEqual([14, 14]);
    for (const option of ["static", "dynamic", "external", "unfolded", "unmasked", "cache"]) {
      expect(of(new RegExp(`-${option}`)), option).toBeGreaterThanOrEqual(3);
    }
    const opsets = new Set(names.map((name) => Number(/-(?:ts|dy)(\d+)-/.exec(name)![1])));
    expect([...opsets].sort((a, b) => a - b)).toEqual([14, 15, 16, 17, 18, 19, 20, 21, 22, 23]);
  });
});
