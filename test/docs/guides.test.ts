import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import ts from "typescript";
import { afterAll, describe, expect, it } from "vitest";

/**
 * The guides of docs/guide are true: their code is applied to a copy of the sources, its types are checked, and the
 * tests that the guides contain are run as tests of this file.
 */
const root = resolve(import.meta.dirname, "../..");
const folder = join(root, "docs/guide");
const guides = readdirSync(folder).filter((name) => name !== "README.md");

interface Block {
  readonly guide: string;
  readonly kind: "ts" | "diff";
  /** From the root of the repository. */
  readonly file: string;
  readonly text: string;
}

function blocksOf(guide: string): readonly Block[] {
  const page = readFileSync(join(folder, guide), "utf8");
  return [...page.matchAll(/^```(ts|diff) file=(\S+)\n([\s\S]*?)^```$/gm)].map(([, kind, file, text]) => ({
    guide,
    kind: kind as Block["kind"],
    file: file!,
    text: text!,
  }));
}
const blocks = guides.flatMap(blocksOf);

mkdirSync(join(root, "build"), { recursive: true });
const copy = mkdtempSync(join(root, "build/guides-"));
afterAll(() => rmSync(copy, { recursive: true, force: true }));
for (const top of ["compiler", "ir", "passes", "runtime", "targets", "test", "fixtures/ir", "fixtures/golden"]) {
  cpSync(join(root, top), join(copy, top), { recursive: true });
}

/** The file with the lines of a diff that are not new replaced by those that are not old. */
function patched(file: string, diff: string): string {
  const lines = diff.trimEnd().split("\n");
  const side = (mark: string): string =>
    lines
      .filter((line) => line[0] === " " || line[0] === mark)
      .map((line) => `${line.slice(1)}\n`)
      .join("");
  const [before, after] = [side("-"), side("+")];
  const text = readFileSync(join(copy, file), "utf8");
  const found = text.split(before).length - 1;
  if (found !== 1) throw new Error(`${file} has these lines ${found} times, expected once:\n${before}`);
  return text.replace(before, () => after);
}

/** What could not be applied, by guide. */
const misfits: string[] = [];
for (const { guide, kind, file, text } of blocks) {
  try {
    const content = kind === "ts" ? text : patched(file, text);
    mkdirSync(dirname(join(copy, file)), { recursive: true });
    writeFileSync(join(copy, file), content);
  } catch (error) {
    misfits.push(`${guide}: ${(error as Error).message}`);
  }
}

it("every guide has an example with a test, and all of it applies to the sources", () => {
  expect(misfits).toEqual([]);
  expect(guides.length).toBe(5);
  for (const guide of guides) {
    const files = blocks.filter((block) => block.guide === guide).map(({ file }) => file);
    expect(files.filter((file) => file.endsWith(".test.ts")).length, guide).toBe(1);
    expect(files.length, guide).toBeGreaterThan(1);
  }
});

it("a guide has no code beside what is applied", () => {
  for (const guide of guides) {
    const page = readFileSync(join(folder, guide), "utf8");
    const fences = [...page.matchAll(/^```(?:ts|diff)\b/gm)].length;
    expect(fences, guide).toBe(blocks.filter((block) => block.guide === guide).length);
  }
});

it("the code has the types that the sources have", () => {
  const { config } = ts.readConfigFile(join(root, "tsconfig.json"), ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent({ ...config, include: [] }, ts.sys, root);
  const files = [...new Set(blocks.map(({ file }) => file))].filter((file) => file.endsWith(".ts"));
  const program = ts.createProgram(
    files.map((file) => join(copy, file)),
    options,
  );
  const found = files.flatMap((file) =>
    ts
      .getPreEmitDiagnostics(program, program.getSourceFile(join(copy, file)))
      .map(({ messageText }) => `${file}: ${ts.flattenDiagnosticMessageText(messageText, "\n")}`),
  );
  expect(found).toEqual([]);
});

describe("the code passes the checks that the sources pass", () => {
  const written = blocks.filter(({ kind }) => kind === "ts");

  it.each(written)("$file is as Biome writes it", ({ file, text }) => {
    const biome = join(root, "node_modules/.bin/biome");
    const given = ["check", "--write", `--stdin-file-path=${file}`];
    expect(execFileSync(biome, given, { cwd: root, input: text, encoding: "utf8" })).toBe(text);
  });

  it.each(
    written.filter(({ file }) => !file.startsWith("test/") && !file.startsWith("runtime/")),
  )("$file enters the runtime by its doors", ({ text }) => {
    const imported = [...text.matchAll(/from "([^"]*\/runtime\/[^"]*)"/g)].map(([, path]) => path!);
    expect(imported.filter((path) => !path.endsWith("/index.ts"))).toEqual([]);
  });
});

describe.each(blocks.filter(({ file }) => file.endsWith(".test.ts")))("$guide: $file", async ({ file }) => {
  // Its tests become tests of this file.
  await import(/* @vite-ignore */ join(copy, file));
});
