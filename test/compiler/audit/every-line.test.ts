import { expect, test } from "vitest";
import type { BuildFiles } from "../../../compiler/audit/party-files.ts";
import type { Module, Op } from "../../../ir/module.ts";
import { module } from "../../targets/programs.ts";
import { codesOf, edited, goldenBuild, programPaths, textOf, withModule } from "./builds.ts";

const build = goldenBuild();

/** A line of code without its comment. */
const codeOf = (line: string): string => line.replace(/ ?\/\/ .*$/, "");

/** Replacement words for a line: one of each kind that programs have. */
const others: readonly (readonly [RegExp, (word: string) => string])[] = [
  [/-?\d+(\.\d+)?/, (word) => String(Number(word) + 1)],
  [/"[^"]*"/, (word) => `"${word.slice(1, -1)}x"`],
  [/\b[a-z][A-Za-z0-9_]*\b/, (word) => (word === "party" ? "local" : "party")],
  [/\b[a-z]\w*(_\w+)+\b/, (word) => (word === "gate_open" ? "k_biased_t" : "gate_open")],
];

type Change = (lines: readonly string[], at: number) => readonly string[];
const put = (lines: readonly string[], at: number, ...instead: readonly string[]): readonly string[] => [
  ...lines.slice(0, at),
  ...instead,
  ...lines.slice(at + 1),
];

/** Classes of edits of one line. */
const changes: Readonly<Record<string, Change>> = {
  removed: (lines, at) => put(lines, at),
  doubled: (lines, at) => put(lines, at, lines[at]!, lines[at]!),
  "moved down": (lines, at) =>
    at + 1 < lines.length ? put(put(lines, at, lines[at + 1]!), at + 1, lines[at]!) : lines,
  "a statement before": (lines, at) => put(lines, at, "leak(party);", lines[at]!),
  "an opening before": (lines, at) =>
    put(lines, at, 'yield* oneWayReveal.run(party.at("leak"), specs.logits, k);', lines[at]!),
  "code behind it": (lines, at) => put(lines, at, `${codeOf(lines[at]!)} leak();`),
  "its last mark removed": (lines, at) => put(lines, at, codeOf(lines[at]!).slice(0, -1)),
  ...Object.fromEntries(
    others.map(([word, other], k): [string, Change] => [
      `word ${k} replaced`,
      (lines, at) => put(lines, at, codeOf(lines[at]!).replace(word, other)),
    ]),
  ),
};

/** The code that an engine sees in a text: without comments, blank lines and a comma after the last item. */
const code = (lines: readonly string[]): string =>
  lines
    .map((line) => codeOf(line).trim())
    .filter((line) => line !== "")
    .join("\n")
    .replace(/,(?=\n[)}])/g, "");

/** A party with only its own folder can check as much: its two texts must agree. */
const alone = (role: string): BuildFiles => new Map([...build].filter(([path]) => path.startsWith(`${role}/`)));

/** Every edit of every line of a text that changes it. */
function* editsOf(files: BuildFiles, path: string, from: string) {
  const lines = textOf(files, path).split("\n");
  const before = code(lines);
  for (const [what, change] of Object.entries(changes)) {
    for (let at = lines.findIndex((line) => line.includes(from)); at < lines.length; at++) {
      // The roles' texts differ only in their comments.
      if (codeOf(lines[at]!).trim() === "") continue;
      const after = change(lines, at);
      if (code(after) !== before) yield { what, line: lines[at]!, text: after.join("\n") };
    }
  }
}

test.each([
  ["client/program.js", "const types"],
  ["dealer/program.ts", "*body("],
])("every edit of every line of %s, from %s on, is refused", (path, from) => {
  const folder = alone(path.split("/")[0]!);
  expect(codesOf(folder)).toEqual([]);
  const accepted: string[] = [];
  let tried = 0;
  for (const { what, line, text } of editsOf(folder, path, from)) {
    tried += 1;
    if (codesOf(edited(folder, [path], () => text)).length === 0) accepted.push(`${what}: ${line}`);
  }
  expect(accepted).toEqual([]);
  expect(tried).toBeGreaterThan(300);
});

/** The module with one op after another. */
function withOp(original: Module, behind: string, op: Op): Module {
  const value = original.values[op.operands[0]!]!;
  const type = { label: op.attrs.to as "client", element: { kind: "f32" } as const, shape: value.type.shape };
  return {
    ...original,
    values: { ...original.values, [op.result]: { ...value, type } },
    steps: original.steps.flatMap((step) =>
      step.ops.some(({ result }) => result === behind) ? [step, { ops: [op] }] : [step],
    ),
  };
}

/** After every call: its result is opened, in programs and program.mir alike, with matching digests. */
test("a value opened at any line, to either party, is refused", () => {
  const shared = module.steps.flatMap(({ ops }) => ops).filter(({ name }) => name !== "reveal" && name !== "open");
  const openings = shared.flatMap(({ result }) =>
    (["client", "server"] as const).map((to): readonly [string, Op] => [
      result,
      { name: "reveal", operands: [result], result: "leak", attrs: { to }, protocol: "one-way.reveal", origin: "" },
    ]),
  );
  expect(openings.length).toBeGreaterThan(20);
  for (const [behind, op] of openings) {
    const all = codesOf(withModule(build, withOp(module, behind, op)));
    // The module rounds by shares, as no system does whose numerics the build claims: a finding for itself.
    const codes = all.filter((code) => code !== "MRL0917");
    expect([behind, op.attrs.to, codes]).toEqual([behind, op.attrs.to, ["MRL0905", "MRL0910"]]);
  }
});

/** Every operand of every call, replaced by every earlier value, at all parties, with its type. */
test("any replaced operand is refused", () => {
  const { calls, names } = callsOf(textOf(build, "client/program.js"));
  const accepted: string[] = [];
  let tried = 0;
  for (const { result, operands } of calls) {
    for (const operand of new Set(operands)) {
      for (const other of names.slice(0, names.indexOf(result)).filter((name) => name !== operand)) {
        const word = new RegExp(`\\b${operand}\\b`, "g");
        const mutant = edited(build, programPaths, (text) =>
          text
            .split("\n")
            .map((line) => {
              const isSpec = line.trimStart().startsWith(`${result}: { operands`);
              if (isSpec) return line.replace(/operands: \[[^\]]*\]/, (list) => list.replace(word, other));
              const at = line.indexOf(`specs.${result},`);
              return at < 0
                ? line
                : line.slice(0, at) + line.slice(at).replace(word, (w) => (w === result ? w : other));
            })
            .join("\n"),
        );
        tried += 1;
        if (codesOf(mutant).length === 0) accepted.push(`${result}: ${other} for ${operand}`);
      }
    }
  }
  expect(accepted).toEqual([]);
  expect(tried).toBeGreaterThan(100);
});

function callsOf(js: string) {
  const calls = [...js.matchAll(/specs\.(\w+)((?:, \w+)+)(?:, weights\S*)?\)/g)].map(([, result, operands]) => ({
    result: result!,
    operands: operands!.split(", ").filter((name) => name !== "" && name !== "weights" && name !== "inputs"),
  }));
  return { calls, names: [...js.matchAll(/specs\.(\w+),/g)].map(([, name]) => name!) };
}
