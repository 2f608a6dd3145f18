import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import ts from "typescript";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Mutant } from "./mutant.ts";
import { mutants } from "./mutants.ts";

const root = resolve(import.meta.dirname, "../..");
const page = join(root, "docs/mutants.md");

/**
 * The runtime and the harness as JavaScript, and a copy with an edit in it for each mutant. Beneath node_modules, so
 * that Node loads them as they are.
 */
let work = "";
beforeAll(() => {
  mkdirSync(join(root, "node_modules/.cache"), { recursive: true });
  work = mkdtempSync(join(root, "node_modules/.cache/mutants-"));
  writeFileSync(join(work, "package.json"), JSON.stringify({ type: "module" }));
  for (const folder of ["runtime", "test/harness", "test/mutants"]) {
    for (const name of readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })) {
      if (!name.endsWith(".ts") || name.endsWith(".test.ts")) continue;
      const file = join(folder, name);
      write(join(work, "sound", file), readFileSync(join(root, file), "utf8"));
    }
  }
});
afterAll(() => rmSync(work, { recursive: true, force: true }));

const compilerOptions = {
  target: ts.ScriptTarget.ES2023,
  module: ts.ModuleKind.ESNext,
  verbatimModuleSyntax: true,
  rewriteRelativeImportExtensions: true,
};
/** Writes a source as JavaScript; `path` is that of the TypeScript file. */
function write(path: string, source: string): void {
  // The import map of package.json serves what is built, not the sources.
  const platform = source.replace('from "#platform"', 'from "../platform/node.ts"');
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path.replace(/\.ts$/, ".js"), ts.transpileModule(platform, { compilerOptions }).outputText);
}

const killed: Mutant[] = [];
afterAll(() => {
  const rows = killed.map(({ name, by, origin }) => `${name.padEnd(60)} ${by.padEnd(50)} ${origin}`);
  console.log([`${killed.length} of ${mutants.length} mutants killed`, ...rows].join("\n"));
});

const moduleOf = (by: Mutant["by"]): string => (by.startsWith("session: ") ? "session-probes.js" : "probes.js");

/** The mutant's probe, loaded with its edits beneath. @throws Error if an edit does not apply: the source has moved on. */
async function mutated({ name, edits, by }: Mutant, index: number): Promise<() => Promise<boolean>> {
  const tree = join(work, String(index));
  cpSync(join(work, "sound"), tree, { recursive: true });
  for (const file of new Set(edits.map(([edited]) => edited))) {
    const mine = edits.filter(([edited]) => edited === file);
    const source = mine.reduce(
      (text, [, from, to]) => {
        if (to === undefined) return `${from}\n${text}`;
        if (!text.includes(from)) throw new Error(`${name}: ${file} does not contain ${JSON.stringify(from)}`);
        return text.replaceAll(from, to);
      },
      readFileSync(join(root, file), "utf8"),
    );
    write(join(tree, file), source);
  }
  const loaded: { readonly probe: (name: Mutant["by"]) => Promise<boolean> } = await import(
    join(tree, "test/mutants", moduleOf(by))
  );
  return () => loaded.probe(by);
}

describe("a mutant is killed, by what the probe sees and not by an exception", () => {
  it.each(mutants.map((mutant, index) => [mutant.name, mutant, index] as const))("%s", async (_, mutant, index) => {
    const objects = await mutated(mutant, index);
    expect(await objects(), mutant.by).toBe(true);
    killed.push(mutant);
  });
});

it("there are at least 40, each of its own name, and docs/mutants.md lists them (BLESS=1 writes it)", () => {
  expect(new Set(mutants.map(({ name }) => name)).size).toBe(mutants.length);
  expect(mutants.length).toBeGreaterThanOrEqual(40);
  const rows = mutants.map(({ name, edits, by, origin }) => {
    const files = [...new Set(edits.map(([file]) => `\`${file}\``))].join(", ");
    return `| ${name} | ${origin} | ${files} | ${by} |`;
  });
  const text = [
    "# Mutants",
    "",
    "Security bugs of other systems, put into our own sources one at a time by `test/mutants`: a copy of the runtime and",
    "of the test harness is edited, loaded, and met with one check of the suite, which must object to it and must not",
    "object to the sources as they are. An edit whose text is no longer found fails the test. An origin names the system",
    "and its issue, paper or release note; `in kind`: the same class of slip, not the same line of code; `ours`: a slip that",
    "no one published, but that a reviewer of these sources would look for.",
    "",
    "| mutant | origin | edited | killed by |",
    "| --- | --- | --- | --- |",
    ...rows,
    "",
  ].join("\n");
  // Behind the table, by hand: mutants that `npm run mutate` drew.
  const drawn = readFileSync(page, "utf8")
    .split(/(?=\n## )/)
    .slice(1)
    .join("");
  if (process.env.BLESS) writeFileSync(page, text + drawn);
  expect(readFileSync(page, "utf8")).toBe(text + drawn);
});
