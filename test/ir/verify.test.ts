import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { type Diagnostic, DiagnosticError } from "../../ir/diagnostic.ts";
import { parse } from "../../ir/text/parse.ts";
import { verify } from "../../ir/verify.ts";

const folder = new URL("../../fixtures/ir/verify/", import.meta.url);
const fixtures = readdirSync(folder).map((file) => {
  const [broken, control] = readFileSync(new URL(file, folder), "utf8").split("// ---- control\n");
  return { file, broken: broken!, control: control! };
});

function judge(text: string, file: string): readonly Diagnostic[] {
  try {
    return verify(parse(text, { file }));
  } catch (error) {
    if (error instanceof DiagnosticError) return error.diagnostics;
    throw error;
  }
}

/** Line of a diagnostic, counted from 1: its own, or the line that defines the value that it names. */
function lineOf({ at = "" }: Diagnostic, lines: readonly string[]): number {
  const index = /:(\d+):\d+$/.exec(at);
  if (index) return Number(index[1]);
  const id = /%([\w.]+)/.exec(at)?.[1];
  const wanted = at.startsWith("output")
    ? new RegExp(`^\\s*output %${id}\\b`)
    : new RegExp(`^\\s*((input|param) %${id} :|%${id} =)`);
  return lines.findIndex((line) => wanted.test(line)) + 1;
}

const expected = (lines: readonly string[]): readonly string[] =>
  lines.flatMap((line, at) => [...line.matchAll(/\/\/ error: (MRL\d{4})/g)].map((found) => `${at + 1}: ${found[1]}`));

describe.each(fixtures)("$file", ({ file, broken, control }) => {
  test("reports the marked lines and no others", () => {
    const lines = broken.split("\n");
    const found = judge(broken, file);
    expect(found.map((diagnostic) => `${lineOf(diagnostic, lines)}: ${diagnostic.code}`)).toEqual(expected(lines));
    expect(expected(lines).length).toBeGreaterThan(0);
    for (const { message } of found) expect(message).toMatch(/expected .+, found .+/);
  });

  test("accepts the control", () => {
    expect(judge(control, file)).toEqual([]);
  });
});

test("a module built by hand may break rules that the text form cannot break", () => {
  const module = parse("module m stage import { input %x : client f32[2] %y = neg %x : client f32[2] output %y }");
  const codes = (changed: object): readonly string[] => verify({ ...module, ...changed }).map(({ code }) => code);
  expect(codes({})).toEqual([]);
  expect(codes({ outputs: [] })).toEqual(["MRL0317"]);
  expect(codes({ inputs: ["x", "x"] })).toEqual(["MRL0310"]);
  expect(codes({ steps: [...module.steps, { ops: [] }] })).toEqual(["MRL0318"]);
  expect(codes({ inputs: ["x", "constructor"] })).toEqual(["MRL0317"]);
  expect(codes({ inputs: ["x", "a b"], values: { ...module.values, "a b": module.values.x } })).toEqual(["MRL0319"]);
});
