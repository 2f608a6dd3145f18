import { readFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";
import { type Mutant, mutated } from "./find-mutants.ts";

/** An edit leaves names unused that its author would remove too. */
const isUnused = ({ code }: ts.Diagnostic): boolean => [6133, 6138, 6192, 6196, 6198, 6199].includes(code);

/** Tells whether a mutant compiles: one that does not never ships, and is not counted. */
export function createTypeChecker(root: string, files: readonly string[]): (mutant: Mutant) => boolean {
  const config = ts.readConfigFile(join(root, "tsconfig.json"), ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent(config.config, ts.sys, root);
  const edited = new Map<string, string>();
  const versions = new Map<string, number>();
  const service = ts.createLanguageService({
    getCompilationSettings: () => options,
    getCurrentDirectory: () => root,
    getDefaultLibFileName: ts.getDefaultLibFilePath,
    getScriptFileNames: () => files.map((file) => join(root, file)),
    getScriptVersion: (path) => String(versions.get(path) ?? 0),
    getScriptSnapshot: (path) => {
      const text = edited.get(path) ?? ts.sys.readFile(path);
      return text === undefined ? undefined : ts.ScriptSnapshot.fromString(text);
    },
    fileExists: ts.sys.fileExists,
    readFile: ts.sys.readFile,
    directoryExists: ts.sys.directoryExists,
    getDirectories: ts.sys.getDirectories,
  });
  const set = (path: string, text: string | undefined): void => {
    if (text === undefined) edited.delete(path);
    else edited.set(path, text);
    versions.set(path, (versions.get(path) ?? 0) + 1);
  };
  return (mutant) => {
    const path = join(root, mutant.file);
    set(path, mutated(readFileSync(path, "utf8"), mutant));
    const found = [...service.getSyntacticDiagnostics(path), ...service.getSemanticDiagnostics(path)];
    set(path, undefined);
    return found.every(isUnused);
  };
}
