import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { secureResult } from "../../../scripts/tables/family-result.ts";
import { readRecordedModel } from "../../../scripts/tables/recorded-model.ts";

const folder = fileURLToPath(new URL("../../../fixtures/families", import.meta.url));

/** One of each family; of the options, those that change what is secret or known. */
const chosen: readonly string[] = [
  "llama-dy18-eager-unfolded",
  "mistral-ts17-sdpa-unmasked",
  "qwen2-dy20-sdpa-cache-dynamic",
  "qwen3-ts17-sdpa-dynamic",
  "phi3-ts17-sdpa-cache",
  "gemma2-dy23-eager-static",
  "gpt2-dy18-eager-unfolded",
  "gpt_neox-ts15-sdpa-static",
  "opt-dy19-eager-static",
  "bert-dy23-sdpa-static",
  "distilbert-ts18-sdpa-external",
  "vit-dy18-eager-dynamic",
  "llama3-ts17-eager-dynamic",
  "roberta-dy18-sdpa-static",
];

describe("exports of the model families, all weights private, by three parties", () => {
  it.each(chosen)("%s equals torch within the declared error", async (name) => {
    expect(await secureResult(readRecordedModel(join(folder, name)))).toMatchObject({ kind: "passes" });
  });
});
