import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readSampleFiles } from "../../../compiler/inputs/sample-files.ts";
import { writeNpz } from "../../../compiler/tensors/npz.ts";
import { models } from "../../harness/fixtures.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "marillc-samples-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

const npz = (value: number): Uint8Array =>
  writeNpz(new Map([["x", { dtype: "float32", tensor: { shape: [1], data: Float64Array.of(value) } }]]));

it("takes one sample of each .npz file, in the order of their names", () => {
  for (const [name, value] of Object.entries({ "b.npz": 2, "a.npz": 1, "notes.txt": 3 })) {
    writeFileSync(join(folder, name), npz(value));
  }
  expect(readSampleFiles(folder, ["x"]).map((sample) => [...sample.get("x")!.data])).toEqual([[1], [2]]);
  expect(readSampleFiles(join(folder, "b.npz"), ["other"]).map((sample) => [...sample.keys()])).toEqual([["other"]]);
});

describe("test data of ONNX", () => {
  const data = join(models, "dev_bert_dy18_static", "test_data_set_0");
  const names = ["input_ids", "attention_mask", "token_type_ids"];

  it("makes one sample of all input_N.pb, and ignores expected outputs", () => {
    const [sample, ...others] = readSampleFiles(data, names);
    expect([...sample!.keys()]).toEqual(names);
    expect(others).toEqual([]);
  });

  it("finds samples in the model's folders, and assigns unnamed tensors to inputs by index", () => {
    for (const set of ["test_data_set_0", "test_data_set_1"]) {
      mkdirSync(join(folder, "model", set), { recursive: true });
      for (const file of readdirSync(data)) copyFileSync(join(data, file), join(folder, "model", set, file));
    }
    const samples = readSampleFiles(join(folder, "model"), ["tokens", "mask", "types"]);
    expect(samples.map((sample) => [...sample.keys()])).toEqual([
      ["tokens", "mask", "types"],
      ["tokens", "mask", "types"],
    ]);
  });
});
