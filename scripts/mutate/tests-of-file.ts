import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import ts from "typescript";

const layers = ["compiler", "ir", "passes", "runtime", "targets", "scripts", "test"];
const isTest = (file: string): boolean => file.endsWith(".test.ts");
/** Doors and helpers of tests only pass on what they import. */
const passesOn = (file: string): boolean => file.endsWith("/index.ts") || file.startsWith("test/");
/** They read the sources from the disk, where no mutant ever is, or run what was built. */
const readsDisk = /^test\/(mutants\/mutants|architecture|package|docs|bench|examples|cli\/three)|signals\.test/;
/** Minutes of whole models. What a session or a service does wrong, those of `end-to-end` that stay tell. */
const slow =
  /^test\/(cli|compiler\/(families|exporters|nets|student|audit\/(builds|fuzz|non-interference|every-line))|end-to-end\/(?!services|three-parties|cache))/;

export const sourceFiles = (root: string, folder: string): readonly string[] =>
  readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts") && !name.endsWith(".d.ts"))
    .map((name) => join(folder, name))
    .sort();

/** File → the files that import it, types alone left out. */
export function importersByFile(root: string): ReadonlyMap<string, readonly string[]> {
  const importers = new Map<string, string[]>();
  for (const file of layers.flatMap((layer) => sourceFiles(root, layer))) {
    const text = readFileSync(join(root, file), "utf8").replace(/^import type [^;]*;/gm, "");
    for (const { fileName } of ts.preProcessFile(text).importedFiles) {
      const target =
        fileName === "#platform"
          ? "runtime/platform/node.ts"
          : fileName.startsWith(".") && relative(root, resolve(root, dirname(file), fileName));
      if (!target || !existsSync(join(root, target))) continue;
      importers.set(target, [...(importers.get(target) ?? []), file]);
    }
  }
  return importers;
}

/**
 * The tests that reach a file, best first: those that import it themselves, then those whose path has most of the file's
 * own path, of them those of mutants, then those that import it most directly. Doors and helpers of tests are no distance.
 */
export function testsOf(
  importers: ReadonlyMap<string, readonly string[]>,
  file: string,
  hops: number,
): readonly string[] {
  const imports = (test: string): boolean => importers.get(file)?.includes(test) ?? false;
  const distance = new Map([[file, 0]]);
  const open = [file];
  for (let next = open.shift(); next !== undefined; next = open.shift()) {
    const at = distance.get(next)!;
    for (const importer of importers.get(next) ?? []) {
      const cost = at + (passesOn(importer) ? 0 : 1);
      if (cost > hops || cost >= (distance.get(importer) ?? Number.POSITIVE_INFINITY)) continue;
      distance.set(importer, cost);
      if (cost === at) open.unshift(importer);
      else open.push(importer);
    }
  }
  return [...distance.keys()]
    .filter((each) => isTest(each) && !readsDisk.test(each) && !slow.test(each))
    .sort(
      (a, b) =>
        Number(imports(b)) - Number(imports(a)) ||
        shared(b, file) - shared(a, file) ||
        Number(/mutants/.test(b)) - Number(/mutants/.test(a)) ||
        distance.get(a)! - distance.get(b)! ||
        a.localeCompare(b),
    );
}

/** How many leading parts of its path a test shares with a file; the probes of mutants are tests of the runtime. */
function shared(test: string, file: string): number {
  const own = file.replace(/\.ts$/, "").split("/");
  const theirs = test
    .replace(/^test\/mutants/, "test/runtime")
    .replace(/^test\/|\.test\.ts$/g, "")
    .split("/");
  const at = own.findIndex((part, k) => part !== theirs[k]);
  return at < 0 ? own.length : at;
}
