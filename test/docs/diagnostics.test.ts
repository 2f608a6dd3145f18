import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect, test } from "vitest";

const root = resolve(import.meta.dirname, "../..");
const rows = readFileSync(join(root, "docs/diagnostics.md"), "utf8")
  .split("\n")
  .filter((line) => line.startsWith("| MRL"))
  .map((line) => line.split("|").map((cell) => cell.trim()));

/** Help for codes that print none of their own: it names codes of all parts. */
const generalHelp = "compiler/api/help.ts";
/** Files by code. */
const used = new Map<string, Set<string>>();
for (const folder of ["compiler", "ir", "passes", "runtime", "targets"]) {
  for (const name of readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })) {
    const file = `${folder}/${name}`;
    if (!name.endsWith(".ts") || file === generalHelp) continue;
    for (const [code] of readFileSync(join(root, file), "utf8").matchAll(/MRL\d{4}/g))
      used.set(code, (used.get(code) ?? new Set()).add(file));
  }
}

test("docs/diagnostics.md lists every code of the sources, sorted, and no other", () => {
  expect(rows.map(([, code]) => code)).toEqual([...used.keys()].sort());
});

test("general help is for codes that exist", () => {
  const prefixes = readFileSync(join(root, generalHelp), "utf8").match(/MRL\d{2,4}/g)!;
  expect(prefixes.length).toBeGreaterThan(10);
  expect(prefixes.filter((prefix) => ![...used.keys()].some((code) => code.startsWith(prefix)))).toEqual([]);
});

test("each has a meaning and an advice", () => {
  expect(rows.filter((cells) => cells.length !== 5 || cells.slice(2, 4).some((cell) => cell === ""))).toEqual([]);
});

test("no two codes say the same", () => {
  const meanings = rows.map(([, , meaning]) => meaning);
  expect(new Set(meanings).size).toBe(meanings.length);
});

test("every code is provoked by a test", () => {
  const texts = ["test", "fixtures/ir/verify"].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
      .filter((name) => /\.(ts|mir)$/.test(name) && name !== "docs/diagnostics.test.ts")
      .map((name) => readFileSync(join(root, folder, name), "utf8")),
  );
  const named = new Set(texts.flatMap((text) => text.match(/MRL\d{4}/g) ?? []));
  expect(rows.map(([, code]) => code!).filter((code) => !named.has(code))).toEqual([]);
});

/** Codes that several files print or name, by what they have in common. Whoever adds one has looked at the others. */
const shared: Readonly<Record<string, readonly string[]>> = {
  "the same fault of a file, met by several readers": ["MRL0101", "MRL0105", "MRL0131", "MRL0140"],
  "a rule of ONNX that several parts of a file can break": ["MRL0104", "MRL0111", "MRL0114", "MRL0115"],
  "where external data lies, and integers that doubles do not hold": ["MRL0116", "MRL0117", "MRL0118"],
  "a rule of the IR, on building and on verifying": ["MRL0300", "MRL0311", "MRL0314"],
  "a rule of the flow checker that several parts hold": ["MRL0901", "MRL0904", "MRL0907", "MRL0910", "MRL0916"],
  "an input of another shape or type": ["MRL0812"],
  "a file that the system does not let us read or write": ["MRL0804"],
  "a fault of marillc": ["MRL0700", "MRL0799"],
  "named as an example, or compared with": [
    "MRL0301",
    "MRL0390",
    "MRL0501",
    "MRL0502",
    "MRL0504",
    "MRL0505",
    "MRL0520",
    "MRL0521",
    "MRL0522",
    "MRL0669",
    "MRL0720",
    "MRL0721",
  ],
};

test("a code belongs to one file, unless its meaning is the same in all", () => {
  const several = [...used].filter(([, files]) => files.size > 1).map(([code]) => code);
  expect(several.sort()).toEqual(Object.values(shared).flat().sort());
});

test("ir/README.md and this page have the same codes of the IR", () => {
  const ofIr = [...used].filter(([, files]) => [...files].some((file) => file.startsWith("ir/"))).map(([code]) => code);
  const readme = readFileSync(join(root, "ir/README.md"), "utf8");
  // ir/diagnostic.ts shows one of 1-split's codes as an example.
  expect(ofIr.filter((code) => code !== "MRL0301" && !readme.includes(`| ${code} |`))).toEqual([]);
});
