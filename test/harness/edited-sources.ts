import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import ts from "typescript";

const root = resolve(import.meta.dirname, "../..");

const compilerOptions = {
  target: ts.ScriptTarget.ES2023,
  module: ts.ModuleKind.ESNext,
  verbatimModuleSyntax: true,
  rewriteRelativeImportExtensions: true,
};

export interface EditedSources {
  /** Loads a file of a copy in which one text of one file is another. @throws Error where the text is not found once */
  readonly load: <T>(file: string, edit: readonly [file: string, from: string, to: string]) => Promise<T>;
  readonly remove: () => void;
}

/** Copies of folders of sources as JavaScript, beneath node_modules, so that Node loads them as they are. */
export function copySources(folders: readonly string[]): EditedSources {
  const cache = join(root, "node_modules/.cache");
  mkdirSync(cache, { recursive: true });
  const work = mkdtempSync(join(cache, "edited-"));
  const write = (path: string, source: string): void => {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path.replace(/\.ts$/, ".js"), ts.transpileModule(source, { compilerOptions }).outputText);
  };
  writeFileSync(join(work, "package.json"), JSON.stringify({ type: "module" }));
  for (const folder of folders) {
    for (const name of readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })) {
      if (!name.endsWith(".ts")) continue;
      write(join(work, "sound", folder, name), readFileSync(join(root, folder, name), "utf8"));
    }
  }
  let copies = 0;
  return {
    load: async (file, [edited, from, to]) => {
      const source = readFileSync(join(root, edited), "utf8");
      if (source.split(from).length !== 2) throw new Error(`expected ${JSON.stringify(from)} once in ${edited}`);
      const tree = join(work, String(copies++));
      cpSync(join(work, "sound"), tree, { recursive: true });
      write(join(tree, edited), source.replace(from, to));
      return await import(join(tree, file.replace(/\.ts$/, ".js")));
    },
    remove: () => rmSync(work, { recursive: true, force: true }),
  };
}
