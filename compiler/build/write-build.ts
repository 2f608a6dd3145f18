import {
  existsSync,
  mkdirSync,
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
import { fileDiagnostic } from "../tensors/files/index.ts";
/** Text of a JSON file of a build: order as given, so the same value gives the same bytes. */
export const canonicalJson = (value: unknown): string => `${JSON.stringify(value, undefined, 2)}\n`;

const roles: readonly string[] = ["client", "server", "dealer"];

/** What builds consist of; nothing else in a folder is ever removed. */
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

/** Programs of shorter windows. */
const bucketFile = /^((client|server|dealer)\/)?window-\d+\.(ts|js|mir)$/;

/**
 * Writes a build directory as a whole: into a folder beside it, which then takes its place, so that what an earlier
 * build left is gone and a failure leaves the earlier build as it was. Refuses a folder that holds anything else.
 */
export function writeBuild(dir: string, files: ReadonlyMap<string, Uint8Array>): void {
  for (const path of files.keys()) checkPath(path);
  const target = existsSync(dir) ? realpathSync(dir) : resolve(dir);
  checkTarget(target, dir, files);
  const beside = (what: string): string => join(dirname(target), `.${basename(target)}.${what}-${process.pid}`);
  const fresh = beside("new");
  const old = beside("old");
  try {
    mkdirSync(dirname(target), { recursive: true });
    writeFiles(fresh, files);
    if (existsSync(target)) renameSync(target, old);
    try {
      renameSync(fresh, target);
    } catch (error) {
      if (existsSync(old)) renameSync(old, target);
      throw error;
    }
    rmSync(old, { recursive: true, force: true });
  } catch (error) {
    if (existsSync(fresh)) rmSync(fresh, { recursive: true });
    const reason = (error as NodeJS.ErrnoException).code ?? String(error);
    const help = "name another folder with -o, or make room and give yourself the right to write there";
    fail(fileDiagnostic("MRL0603", dir, `the build directory cannot be written: ${reason}`, help));
  }
}

function writeFiles(folder: string, files: ReadonlyMap<string, Uint8Array>): void {
  for (const [path, bytes] of files) {
    const file = join(folder, path);
    mkdirSync(dirname(file), { recursive: true });
    // The private weights are the server's alone, on its machine as well.
    writeFileSync(file, bytes, { flag: "wx", mode: path.startsWith("server/") ? 0o600 : 0o644 });
  }
}

/** A path of the compiler's own making; a slip must not write elsewhere. */
function checkPath(path: string): void {
  const parts = path.split("/");
  if (isAbsolute(path) || path.includes("\\") || parts.some((part) => part === "" || part === "." || part === ".."))
    throw new Error(`${JSON.stringify(path)} is no path inside a build directory`);
}

function checkTarget(target: string, shown: string, files: ReadonlyMap<string, Uint8Array>): void {
  if (!existsSync(target)) return;
  if (!statSync(target).isDirectory()) {
    fail(fileDiagnostic("MRL0601", shown, "the build directory exists and is not a folder", "name another with -o"));
  }
  const present = entriesOf(target);
  const foreign = present.filter((path) => !buildFileNames.has(path) && !bucketFile.test(path) && !files.has(path));
  if (present.length === 0 || (foreign.length === 0 && isBuild(target))) return;
  fail({
    code: "MRL0602",
    message: "the folder is neither empty nor a build of marillc's alone",
    at: shown,
    because: (foreign.length > 0 ? foreign : present).slice(0, 5).map((path) => `it holds ${path}`),
    help: "name another folder (-o), or move these files away: a build replaces the whole folder",
  });
}

/** What the folder and its folders of parties hold; no deeper, for it may be anyone's. */
function entriesOf(folder: string): readonly string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() && isRole(entry.name)
      ? readdirSync(join(folder, entry.name)).map((name) => `${entry.name}/${name}`)
      : [entry.name],
  );
}

const isRole = (name: string): boolean => roles.includes(name);

function isBuild(folder: string): boolean {
  const file = join(folder, "manifest.json");
  return existsSync(file) && readFileSync(file, "utf8").includes('"programHash"');
}
