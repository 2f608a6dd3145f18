import { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, expect, it } from "vitest";
import { readTokenizer, readTokenizerFiles } from "../../../compiler/inputs/tokenizer.ts";
import { codesOf } from "../onnx/format/build-model.ts";

const temporary = mkdtempSync(join(tmpdir(), "marillc-tokenizer-"));
afterAll(() => rmSync(temporary, { recursive: true }));
const fixture = resolve(import.meta.dirname, "../../../fixtures/date-llama");
let count = 0;
const folder = (): string => {
  const dir = join(temporary, `model-${count++}`);
  mkdirSync(dir);
  return dir;
};

it("turns text into tokens and back", () => {
  const tokens = readTokenizer(fixture);
  const ids = tokens.encode("date 3rd of March=");
  expect(ids.length).toBeGreaterThan(3);
  expect(tokens.decode(ids)).toBe("date 3rd of March=");
  expect([...readTokenizerFiles(fixture).keys()]).toEqual(["tokenizer.json", "tokenizer_config.json"]);
});

it("refuses a folder without a tokenizer, with a folder of its name, or with another file", () => {
  expect(codesOf(() => readTokenizer(folder()))).toEqual(["MRL0670"]);
  const made = folder();
  mkdirSync(join(made, "tokenizer.json"));
  expect(codesOf(() => readTokenizer(made))).toEqual(["MRL0671"]);
  for (const text of ["", "{", "[]", "null", '{"model":null}', "\u0000"]) {
    const broken = folder();
    writeFileSync(join(broken, "tokenizer.json"), text);
    expect(
      codesOf(() => readTokenizer(broken)),
      text,
    ).toEqual(["MRL0671"]);
  }
});

it("reads nothing outside the model's folder, and nothing above a size limit", () => {
  const secret = join(temporary, "secret.json");
  writeFileSync(secret, "{}");
  for (const name of ["tokenizer.json", "tokenizer_config.json"]) {
    const foreign = folder();
    symlinkSync(secret, join(foreign, name));
    expect(codesOf(() => readTokenizerFiles(foreign))).toEqual(["MRL0135"]);
  }
  const large = folder();
  const file = join(large, "tokenizer.json");
  writeFileSync(file, "{}");
  truncateSync(file, 2 ** 28 + 1);
  expect(codesOf(() => readTokenizerFiles(large))).toEqual(["MRL0671"]);
});
