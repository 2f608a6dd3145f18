import {
  existsSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, isAbsolute, join, resolve } from "node:path";
import { fail } from "../../ir/diagnostic.ts";
import { fileDiagnostic, makeFolder, requireFolder } from "../tensors/files/index.ts";
import { isRole, roles } from "./party-names.ts";

/** Text of a JSON file of a build: keys keep their order, so the same value gives the same bytes. */
export const canonicalJson = (value: unknown): string => `${JSON.stringify(value, undefined, 2)}\n`;

/** Files of a party's folder. Nothing else in a folder is ever removed. */
const partyFiles = [
  "program.ts",
  "program.js",
  "program.mir",
  "decode.ts",
  "decode.js",
  "decode.mir",
  "manifest.json",
  "weights.safetensors",
  "public.onnx",
  "public.weights",
  "head.onnx",
  "head.weights",
  "private.onnx",
  "public-step.onnx",
  "head-step.onnx",
  "config.json",
  "generation_config.json",
  "tokenizer.json",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "added_tokens.json",
  "tokenizer.model",
  "vocab.json",
  "vocab.txt",
  "merges.txt",
];
const buildFileNames: ReadonlySet<string> = new Set([
  "manifest.json",
  "program.mir",
  "decode.mir",
  ...roles.flatMap((role) => partyFiles.map((file) => `${role}/${file}`)),
]);

/** Weights with an adapter that the server may choose. */
const adapterFile = /^server\/adapter-[A-Za-z0-9_.-]+\.safetensors$/;

/** Programs of shorter context lengths. */
const bucketFile = /^((client|server|dealer)\/)?window-\d+\.(ts|js|mir)$/;

/** A build that is written beside its directory, and can be tried there before it replaces anything. */
export interface StagedBuild {
  /** Where the files are until one of the two functions is called. */
  readonly folder: string;
  /** Replaces the build directory. @throws DiagnosticError MRL0603 where it cannot be written */
  readonly commit: () => void;
  readonly discard: () => void;
}

/**
 * Writes a build directory atomically: into a folder beside it, which then replaces it. Files of an earlier build
 * disappear, and a failure leaves the earlier build as it was.
 * @throws DiagnosticError MRL0601 where the path is a file, MRL0602 where the folder holds anything but a build,
 * MRL0603 where it cannot be written
 */
export const writeBuild = (dir: string, files: ReadonlyMap<string, Uint8Array>): void =>
  stageBuild(dir, files).commit();

/** The same in two steps. */
export function stageBuild(dir: string, files: ReadonlyMap<string, Uint8Array>): StagedBuild {
  for (const path of files.keys()) checkPath(path);
  const target = targetOf(dir);
  checkTarget(target, dir, files);
  const beside = (what: string): string => join(dirname(target), `.${basename(target)}.${what}-${process.pid}`);
  const fresh = beside("new");
  const old = beside("old");
  const discard = (): void => {
    if (existsSync(fresh)) rmSync(fresh, { recursive: true });
  };
  const guarded = (work: () => void): void => {
    try {
      work();
    } catch (error) {
      discard();
      unwritable(dir, error);
    }
  };
  guarded(() => {
    makeFolder(dirname(target));
    writeFiles(fresh, files);
  });
  const replace = (): void => {
    if (existsSync(target)) renameSync(target, old);
    try {
      renameSync(fresh, target);
    } catch (error) {
      if (existsSync(old)) renameSync(old, target);
      throw error;
    }
    rmSync(old, { recursive: true, force: true });
  };
  return { folder: fresh, commit: () => guarded(replace), discard };
}

const targetOf = (dir: string): string => (existsSync(dir) ? realpathSync(dir) : resolve(dir));

function unwritable(dir: string, error: unknown): never {
  const reason = (error as NodeJS.ErrnoException).code ?? String(error);
  const help = "name another folder with -o, or free space and get write permission";
  return fail(fileDiagnostic("MRL0603", dir, `the build directory cannot be written: ${reason}`, help));
}

/** The same refusals as `stageBuild`, before the long work of compiling. */
export function checkBuildFolder(dir: string): void {
  const target = targetOf(dir);
  checkTarget(target, dir, new Map());
  try {
    requireFolder(target);
  } catch (error) {
    unwritable(dir, error);
  }
}

function writeFiles(folder: string, files: ReadonlyMap<string, Uint8Array>): void {
  for (const [path, bytes] of files) {
    const file = join(folder, path);
    makeFolder(dirname(file));
    // Private weights are for the server alone, also among the users of its machine.
    writeFileSync(file, bytes, { flag: "wx", mode: path.startsWith("server/") ? 0o600 : 0o644 });
  }
}

/** The compiler made these paths itself; a mistake must not write outside the build. */
function checkPath(path: string): void {
  const parts = path.split("/");
  if (isAbsolute(path) || path.includes("\\") || parts.some((part) => part === "" || part === "." || part === ".."))
    throw new Error(`expected a path inside the build directory, found ${JSON.stringify(path)}`);
}

function checkTarget(target: string, shown: string, files: ReadonlyMap<string, Uint8Array>): void {
  if (!existsSync(target)) return;
  if (!statSync(target).isDirectory()) {
    fail(
      fileDiagnostic("MRL0601", shown, "expected a folder or no file here, found a file", "name another path with -o"),
    );
  }
  const present = entriesOf(target);
  const foreign = present.filter(
    (path) => !buildFileNames.has(path) && !bucketFile.test(path) && !adapterFile.test(path) && !files.has(path),
  );
  if (present.length === 0 || (foreign.length === 0 && isBuild(target))) return;
  fail({
    code: "MRL0602",
    message: "expected an empty folder or a marillc build, found other files",
    at: shown,
    because: (foreign.length > 0 ? foreign : present).slice(0, 5).map((path) => `the folder holds ${path}`),
    help: "name another folder with -o, or move these files away: a build replaces the whole folder",
  });
}

/** Entries of the folder and of its party folders; no deeper, because the folder may be anyone's. */
function entriesOf(folder: string): readonly string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() && isRole(entry.name)
      ? readdirSync(join(folder, entry.name)).map((name) => `${entry.name}/${name}`)
      : [entry.name],
  );
}

function isBuild(folder: string): boolean {
  const file = join(folder, "manifest.json");
  return existsSync(file) && readFileSync(file, "utf8").includes('"programHash"');
}
