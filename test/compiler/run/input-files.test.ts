import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { inputsOf } from "../../../compiler/api/inputs.ts";
import type { Manifest } from "../../../compiler/build/manifest.ts";
import { inputName, nameBeforeNumber } from "../../../compiler/cli/repeated-options.ts";
import { inputFileOf, readInputFiles } from "../../../compiler/run/input-files.ts";
import { DiagnosticError } from "../../../ir/diagnostic.ts";

const dir = mkdtempSync(join(tmpdir(), "marillc-inputs-"));
afterAll(() => rmSync(dir, { recursive: true }));
const file = (name: string, tensors: object): string => {
  const path = join(dir, name);
  writeFileSync(path, JSON.stringify(tensors));
  return path;
};
const [a, b] = [file("a.json", { x: [1] }), file("b.json", { x: [2], y: [3] })];

const messagesOf = (work: () => unknown): readonly string[] => {
  try {
    work();
  } catch (error) {
    if (error instanceof DiagnosticError) return error.diagnostics.map(({ code, message }) => `${code} ${message}`);
    throw error;
  }
  return [];
};

test.each([
  ["two files that name their tensors", [a, b]],
  ["a name, and a file with that tensor", [`x=${a}`, b]],
  ["two names that are one", [`x=${a}`, `x=${b}`]],
])("a tensor that is given twice is refused: %s", (_, given) => {
  expect(messagesOf(() => readInputFiles(given))).toEqual(['MRL0817 expected each input once, found "x" twice']);
});

test("names of inputs and paths may contain the sign between them", () => {
  const odd = file("b=2.json", { "x=1": [5] });
  const tensorOf = (argument: string) =>
    [...readInputFiles([argument])].map(([name, { tensor }]) => [name, ...tensor.data]);
  expect(tensorOf(`x=1=${odd}`)).toEqual([["x=1", 5]]);
  expect(tensorOf(odd)).toEqual([["x=1", 5]]);
  expect(inputFileOf("x=nowhere.npy")).toEqual({ name: "x", file: "nowhere.npy" });
  const manifest = { inputs: [{ name: "x=1", label: "client", type: "f32", shape: [1] }] } as unknown as Manifest;
  expect([...inputsOf(manifest, { inputs: { "x=1": odd } }).keys()]).toEqual(["x=1"]);
  expect(inputName(`x=1=${odd}`)).toBe("x=1");
  expect(nameBeforeNumber("x=1=2")).toBe("x=1");
});

test("a value and a file for one input are refused too", () => {
  const manifest = { inputs: [{ name: "x", label: "client", type: "f32", shape: [1] }] } as unknown as Manifest;
  expect(messagesOf(() => inputsOf(manifest, { inputs: { x: [1] }, inputFiles: [a] }))).toEqual([
    'MRL0817 expected each input once, found "x" twice',
  ]);
});

test("different tensors of two files are all read", () => {
  expect([...readInputFiles([`x=${a}`, `y=${b}`]).keys()]).toEqual(["x", "y"]);
});
